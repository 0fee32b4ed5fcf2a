/**
 * Microphone samples in, numbered frames of 16 kHz s16le out.
 *
 * Imports nothing, so that an audio worklet can load it by itself, and registers itself only
 * inside one, so that Node can test the arithmetic. Nothing is allocated per quantum; frames
 * come from a pool that the page refills when the server has them.
 */

export const TARGET_RATE = 16000;
export const HEADER_BYTES = 32;
export const FRAME_SAMPLES = 1600;
export const FRAME_BYTES = HEADER_BYTES + 2 * FRAME_SAMPLES;
export const LAST_OF_STRETCH = 1;

const POOL_FRAMES = 50;
const MAX_BLOCK = 1024;
const KAISER_BETA = 7.86; // 80 dB
const ATTENUATION_DB = 80;
// Shares of the narrower Nyquist band: pass to 7 of 8 kHz, -6 dB in the middle, stop from 8 kHz.
const PASS = 7 / 8;
const MIDDLE = 15 / 16;

const gcd = (a, b) => (b === 0 ? a : gcd(b, a % b));

/** Modified Bessel function of the first kind, order 0. */
function bessel0(x) {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function kernel(distance, cutoff, half) {
  const edge = distance / half;
  if (Math.abs(edge) >= 1) return 0;
  const window = bessel0(KAISER_BETA * Math.sqrt(1 - edge * edge)) / bessel0(KAISER_BETA);
  const angle = 2 * Math.PI * cutoff * distance;
  return (angle === 0 ? 1 : Math.sin(angle) / angle) * window;
}

/**
 * A polyphase low-pass from `rate` to 16 kHz.
 * @param {number} rate of the device, Hz
 * @returns {{up: number, down: number, taps: number, table: Float32Array}} `up` phases of `taps` coefficients
 */
export function design(rate) {
  const common = gcd(TARGET_RATE, rate);
  const [up, down] = [TARGET_RATE / common, rate / common];
  const nyquist = Math.min(rate, TARGET_RATE) / 2;
  const transition = (2 * Math.PI * nyquist * (1 - PASS)) / rate;
  const taps = 2 * Math.ceil((ATTENUATION_DB - 7.95) / (2.285 * transition) / 2 + 0.5);
  const cutoff = (nyquist * MIDDLE) / rate;
  const table = new Float32Array(up * taps);
  for (let phase = 0; phase < up; phase++) {
    const row = new Float64Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) {
      row[tap] = kernel(phase / up + taps / 2 - 1 - tap, cutoff, taps / 2);
      sum += row[tap];
    }
    for (let tap = 0; tap < taps; tap++) table[phase * taps + tap] = row[tap] / sum;
  }
  return { up, down, taps, table };
}

/**
 * Streaming conversion of one stretch of sound. Sample k of the output stands exactly at
 * k / 16000 s of the input, and n samples in give floor(n * 16000 / rate) out once flushed.
 */
export class Resampler {
  /** @param {number} rate of the input, a whole number of Hz */
  constructor(rate) {
    this.rate = rate;
    this.design = rate === TARGET_RATE ? null : design(rate);
    const { up, down, taps } = this.design ?? { up: 1, down: 1, taps: 0 };
    this.history = new Float32Array(Math.max(8192, 4 * taps + 2 * MAX_BLOCK));
    this.silence = new Float32Array(MAX_BLOCK);
    /** Where `feed` and `flush` leave their samples. */
    this.output = new Float32Array(Math.ceil((MAX_BLOCK * up) / down) + 2);
    this.step = Math.floor(down / up);
    this.rest = down % up;
    this.reset();
  }

  /** Forget everything: the next sample is the first of a stretch. */
  reset() {
    const lead = this.design ? this.design.taps / 2 - 1 : 0;
    this.history.fill(0);
    this.filled = lead;
    this.at = 0;
    this.phase = 0;
    this.samplesIn = 0;
    this.samplesOut = 0;
    this.padding = this.design ? this.design.taps / 2 + 1 : 0;
  }

  /**
   * @param {Float32Array} block of at most 1024 samples
   * @returns {number} how many samples now stand in `output`
   */
  feed(block) {
    this.samplesIn += block.length;
    if (this.design) return this.#convert(block, block.length, Infinity);
    this.output.set(block);
    this.samplesOut += block.length;
    return block.length;
  }

  /** The samples the filter still holds; call again until it gives 0. */
  flush() {
    const count = Math.min(this.padding, MAX_BLOCK);
    if (count === 0) return 0;
    this.padding -= count;
    return this.#convert(this.silence, count, Math.floor((this.samplesIn * TARGET_RATE) / this.rate));
  }

  #convert(block, length, limit) {
    const { up, taps, table } = this.design;
    this.#append(block, length);
    let made = 0;
    while (this.at + taps <= this.filled && this.samplesOut < limit) {
      let sum = 0;
      const row = this.phase * taps;
      for (let tap = 0; tap < taps; tap++) sum += table[row + tap] * this.history[this.at + tap];
      this.output[made++] = sum;
      this.samplesOut++;
      this.at += this.step;
      this.phase += this.rest;
      if (this.phase >= up) {
        this.phase -= up;
        this.at++;
      }
    }
    return made;
  }

  #append(block, length) {
    if (this.filled + length > this.history.length) {
      this.history.copyWithin(0, this.at, this.filled);
      this.filled -= this.at;
      this.at = 0;
    }
    for (let i = 0; i < length; i++) this.history[this.filled + i] = block[i];
    this.filled += length;
  }
}

/** Cuts 16 kHz samples into numbered frames. A frame is handed on when the next one begins, so the last is known. */
export class Framer {
  /**
   * @param {(frame: ArrayBuffer) => void} emit takes the frame over
   * @param {() => number} now wall clock, epoch ms
   */
  constructor(emit, now = Date.now) {
    this.emit = emit;
    this.now = now;
    this.pool = Array.from({ length: POOL_FRAMES }, () => new ArrayBuffer(FRAME_BYTES));
    this.start(0, 0);
  }

  /** Begin a stretch: the number of its first frame, and where its first sample stands in the recording. */
  start(seq, sample) {
    this.seq = seq;
    this.first = sample;
    this.count = 0;
    this.peak = 0;
    this.pcm = null;
  }

  /** Take a buffer back that nobody needs any more. */
  recycle(buffer) {
    if (buffer.byteLength === FRAME_BYTES && this.pool.length < POOL_FRAMES) this.pool.push(buffer);
  }

  /** @param {Float32Array} samples of which the first `length` count */
  write(samples, length) {
    for (let i = 0; i < length; i++) {
      if (this.count === FRAME_SAMPLES) this.#send(0);
      this.pcm ??= this.#open();
      const value = Math.max(-32768, Math.min(32767, Math.round(samples[i] * 32768)));
      const size = value < 0 ? -value : value;
      if (size > this.peak) this.peak = size;
      this.pcm[this.count++] = value;
    }
  }

  /** Send what is left, marked as the last of its stretch. */
  end() {
    if (this.count > 0) this.#send(LAST_OF_STRETCH);
  }

  #open() {
    this.buffer = this.pool.pop() ?? new ArrayBuffer(FRAME_BYTES);
    return new Int16Array(this.buffer, HEADER_BYTES);
  }

  #send(flags) {
    const header = new DataView(this.buffer, 0, HEADER_BYTES);
    header.setUint8(0, 0x4d);
    header.setUint8(1, 0x57);
    header.setUint8(2, 1);
    header.setUint8(3, flags);
    header.setUint32(4, this.seq, true);
    header.setUint16(8, this.count, true);
    header.setUint16(10, Math.min(65535, Math.round((this.peak / 32768) * 65535)), true);
    header.setUint32(12, 0, true);
    header.setFloat64(16, this.first, true);
    header.setFloat64(24, this.now() - (this.count * 1000) / TARGET_RATE, true);
    const buffer = this.buffer;
    this.start(this.seq + 1, this.first + this.count);
    this.emit(buffer);
  }
}

/** What the audio thread runs: resampler and framer behind a message port. */
export function recorderFor(rate, port) {
  const resampler = new Resampler(rate);
  const framer = new Framer((frame) => port.postMessage(frame, [frame]));
  let recording = false;

  const stop = () => {
    if (recording) {
      for (let made = resampler.flush(); made > 0 || resampler.padding > 0; made = resampler.flush()) {
        framer.write(resampler.output, made);
      }
      framer.end();
    }
    recording = false;
    port.postMessage({ t: 'stopped', next: framer.seq, sample: framer.first });
  };

  port.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) framer.recycle(data);
    else if (data.t === 'stop') stop();
    else if (data.t === 'start') {
      resampler.reset();
      framer.start(data.seq, data.sample);
      recording = true;
    }
  };

  return (channels) => {
    if (!recording || channels.length === 0) return;
    framer.write(resampler.output, resampler.feed(channels[0]));
  };
}

if (typeof AudioWorkletProcessor !== 'undefined') {
  registerProcessor(
    'pcm',
    class extends AudioWorkletProcessor {
      #take = recorderFor(Math.round(sampleRate), this.port);

      process(inputs) {
        this.#take(inputs[0]);
        return true;
      }
    },
  );
}
