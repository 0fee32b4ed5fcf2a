import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FRAME_BYTES, FRAME_SAMPLES, Framer, Resampler, recorderFor } from '../../static/js/pcm-worklet.js';

const QUANTUM = 128;

function resample(signal, rate) {
  const resampler = new Resampler(rate);
  const out = [];
  const take = (count) => out.push(...resampler.output.subarray(0, count));
  for (let i = 0; i < signal.length; i += QUANTUM) take(resampler.feed(signal.subarray(i, i + QUANTUM)));
  while (resampler.padding > 0) take(resampler.flush());
  return Float32Array.from(out);
}

const tone = (hz, rate, seconds = 1) =>
  Float32Array.from({ length: rate * seconds }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));

/** Level of the middle of a signal in dB, a full-scale sine being 0. */
function level(signal) {
  const middle = signal.subarray(signal.length / 4, (signal.length * 3) / 4);
  const power = middle.reduce((sum, x) => sum + x * x, 0) / middle.length;
  return 10 * Math.log10(2 * power + 1e-20);
}

for (const rate of [48000, 44100, 96000, 32000]) {
  for (const [hz, most] of [[8250, -79], [9000, -80], [10000, -80], [12000, -80], [15000, -80]]) {
    test(`${hz} Hz at ${rate} does not fold back into speech`, () => {
      assert.ok(level(resample(tone(hz, rate), rate)) <= most);
    });
  }
  for (const hz of [100, 1000, 7000]) {
    test(`${hz} Hz at ${rate} passes unchanged`, () => {
      assert.ok(Math.abs(level(resample(tone(hz, rate), rate))) < 0.02);
    });
  }
}

test('a plain decimation would fold 9 kHz back whole', () => {
  const naive = tone(9000, 48000).filter((_, n) => n % 3 === 0);
  assert.ok(level(naive) > -1);
});

for (const rate of [48000, 44100, 96000, 32000, 8000, 16000, 22050]) {
  for (const length of [rate, rate + 1, 10 * rate - 77, 5]) {
    test(`${length} samples at ${rate} give floor(n * 16000 / rate)`, () => {
      assert.equal(resample(new Float32Array(length), rate).length, Math.floor((length * 16000) / rate));
    });
  }
}

for (const rate of [48000, 44100, 96000, 32000, 8000]) {
  test(`an impulse half a second in at ${rate} lands on sample 8000`, () => {
    const signal = new Float32Array(rate);
    signal[rate / 2] = 1;
    const out = resample(signal, rate);
    assert.equal(out.indexOf(Math.max(...out)), 8000);
  });
}

test('16 kHz passes through untouched', () => {
  const signal = tone(440, 16000);
  assert.deepEqual(resample(signal, 16000), signal);
});

test('block sizes do not change a single sample', () => {
  const signal = tone(440, 44100);
  const whole = resample(signal, 44100);
  const resampler = new Resampler(44100);
  const out = [];
  for (let i = 0, size = 1; i < signal.length; i += size, size = (size % 700) + 1) {
    const count = resampler.feed(signal.subarray(i, i + size));
    out.push(...resampler.output.subarray(0, count));
  }
  assert.deepEqual(Float32Array.from(out), whole.subarray(0, out.length));
});

function collect() {
  const frames = [];
  const framer = new Framer((frame) => frames.push(frame), () => 1_000_000);
  return { frames, framer };
}

test('a frame carries the header of the contract', () => {
  const { frames, framer } = collect();
  framer.start(7, 4800);
  framer.write(new Float32Array(FRAME_SAMPLES + 1).fill(-0.5), FRAME_SAMPLES + 1);
  const view = new DataView(frames[0]);
  assert.equal(frames[0].byteLength, FRAME_BYTES);
  assert.equal(String.fromCharCode(view.getUint8(0), view.getUint8(1)), 'MW');
  assert.deepEqual([view.getUint8(2), view.getUint8(3)], [1, 0]);
  assert.deepEqual([view.getUint32(4, true), view.getUint16(8, true)], [7, 1600]);
  assert.equal(view.getUint16(10, true), Math.round(0.5 * 65535));
  assert.equal(view.getUint32(12, true), 0);
  assert.deepEqual([view.getFloat64(16, true), view.getFloat64(24, true)], [4800, 999_900]);
  assert.equal(new Int16Array(frames[0], 32)[0], -16384);
});

test('samples beyond full scale are clamped, not wrapped', () => {
  const { frames, framer } = collect();
  framer.write(Float32Array.of(2, -2, 1, -1, 0), 5);
  framer.end();
  assert.deepEqual([...new Int16Array(frames[0], 32, 5)], [32767, -32768, 32767, -32768, 0]);
});

test('the last frame of a stretch is short and marked, even when it is full', () => {
  for (const length of [1, FRAME_SAMPLES, FRAME_SAMPLES + 1]) {
    const { frames, framer } = collect();
    framer.write(new Float32Array(length), length);
    framer.end();
    const flags = frames.map((frame) => new DataView(frame).getUint8(3));
    assert.deepEqual(flags, [...Array(frames.length - 1).fill(0), 1]);
    const samples = frames.reduce((sum, frame) => sum + new DataView(frame).getUint16(8, true), 0);
    assert.equal(samples, length);
  }
});

test('a buffer is reused once it came back, and never before', () => {
  const { frames, framer } = collect();
  framer.pool.length = 1;
  framer.write(new Float32Array(3 * FRAME_SAMPLES), 3 * FRAME_SAMPLES);
  assert.notEqual(frames[0], frames[1]);
  framer.recycle(frames[0]);
  framer.write(new Float32Array(FRAME_SAMPLES), FRAME_SAMPLES);
  framer.write(new Float32Array(FRAME_SAMPLES), FRAME_SAMPLES);
  assert.equal(frames.length, 4);
  framer.end();
  assert.equal(frames.filter((frame) => frame === frames[0]).length, 2);
});

test('stretches go on counting frames and samples, and nothing is recorded between them', () => {
  const sent = [];
  const port = { postMessage: (message) => sent.push(message) };
  const take = recorderFor(48000, port);
  const run = (quanta) => {
    for (let i = 0; i < quanta; i++) take([new Float32Array(QUANTUM).fill(0.1)]);
  };
  run(10);
  port.onmessage({ data: { t: 'start', seq: 0, sample: 0 } });
  run(100);
  port.onmessage({ data: { t: 'stop' } });
  const stopped = sent.at(-1);
  assert.deepEqual(stopped, { t: 'stopped', next: 3, sample: Math.floor((100 * QUANTUM) / 3) });
  run(50);
  port.onmessage({ data: { t: 'start', seq: stopped.next, sample: stopped.sample } });
  run(20);
  port.onmessage({ data: { t: 'stop' } });
  const frames = sent.filter((message) => message instanceof ArrayBuffer).map((frame) => new DataView(frame));
  assert.deepEqual(frames.map((view) => view.getUint32(4, true)), [0, 1, 2, 3]);
  assert.deepEqual(frames.map((view) => view.getUint8(3)), [0, 0, 1, 1]);
  assert.equal(frames[3].getFloat64(16, true), stopped.sample);
});
