/** A session that goes on: nothing is recorded before the server's greeting, and one can always give it up. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { clock } from '../../static/js/line.js';
import { Microphone } from '../../static/js/microphone.js';
import { Framer } from '../../static/js/pcm-worklet.js';
import { Recorder } from '../../static/js/recorder.js';
import { NoStore } from '../../static/js/store.js';

const moment = () => new Promise((resolve) => setImmediate(resolve));
const lines = [];
const heard = [];
const time = { now: 0 };
let microphone;

class Line {
  constructor() {
    lines.push(this);
  }

  send() {}

  close() {
    this.closed = true;
  }

  greet() {
    this.say({ t: 'resume', next: 40, safe_ms: 4000 });
  }

  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
}

globalThis.WebSocket = Line;
Object.defineProperty(globalThis, 'navigator', { value: {} });
globalThis.location = { origin: 'http://memweb.test' };
Object.assign(clock, { now: () => time.now, wall: () => 1_700_000_000_000 + time.now });
Object.assign(Microphone.prototype, {
  async open() {
    microphone = this;
  },
  begin: (...place) => heard.push(place),
  async end() {},
  close: () => heard.push('closed'),
  wake: () => heard.push('woken'),
});

function recorder({ settled = async () => {}, store = new NoStore(), pauseAfter = 0 } = {}) {
  const on = { change() {}, level() {}, message() {}, ended() {} };
  const choices = () => ({ language: 'en', provider: '' });
  return new Recorder({ store, worklet: '', choices, sid: 'a', samples: 64_000, pauseAfter, settled, on });
}

beforeEach(() => {
  lines.length = heard.length = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

test('it is recorded from the greeting on, and a pause asked for before it pauses nothing', async () => {
  const made = recorder();
  const started = made.start();
  await moment();
  assert.equal(made.facts.phase, 'opening');
  made.togglePause();
  assert.equal(await made.mark(), -1);
  lines[0].greet();
  await started;
  await moment();
  assert.equal(made.facts.phase, 'recording');
  assert.deepEqual(heard, [[40, 64_000]]);
});

for (const [waiting, settled] of [['the server', async () => {}], ['what is handed over', () => new Promise(() => {})]]) {
  test(`waiting for ${waiting} is told once it takes long, and can be given up and begun anew`, async () => {
    const made = recorder({ settled });
    const started = made.start();
    await moment();
    assert.equal(made.facts.late, false);
    mock.timers.tick(3000);
    assert.deepEqual([made.facts.phase, made.facts.late], ['opening', true]);
    await Promise.all([made.finish(), started]);
    assert.deepEqual([made.facts.phase, made.facts.problem, made.session], ['idle', null, null]);
    assert.deepEqual(heard, ['closed']);
    assert.ok(lines.every((line) => line.closed));
    made.settled = async () => {};
    const again = made.start();
    await moment();
    lines.at(-1).greet();
    await again;
    assert.equal(made.facts.phase, 'recording');
  });
}

test('a refusal before the greeting is told, and lets go of the session', async () => {
  const made = recorder();
  const started = made.start();
  await moment();
  lines[0].onclose({ code: 4409 });
  await started;
  assert.deepEqual([made.facts.phase, made.facts.problem, made.session], ['idle', { code: 'taken' }, null]);
});

const LISTENING = { t: 'state', state: 'listening', transcribed_ms: 0, lag_ms: 0, cost: null, engine: '', note: '' };

/** One that records, with the sound of its microphone in hand: `speak(ms, level)` lets time go by with it, `wait(ms)` without. */
async function recording(options = {}) {
  const made = recorder(options);
  const started = made.start();
  await moment();
  lines[0].greet();
  await started;
  lines[0].say(LISTENING);
  const framer = new Framer((frame) => microphone.on.frame(frame), clock.wall);
  framer.start(40, 64_000);
  const pass = (ms, each = () => {}) => {
    for (let at = 0; at < ms; at += 100) {
      time.now += 100;
      each();
      lines[0].say({ t: 'pong' });
      mock.timers.tick(100);
    }
  };
  const speak = (ms, level = 0.1) => pass(ms, () => framer.write(new Float32Array(1600).fill(level), 1600));
  return { made, facts: made.facts, line: lines[0], framer, speak, wait: pass };
}

test('where a marker stands is told once this browser keeps it', async () => {
  const store = new NoStore();
  const { made, speak } = await recording({ store });
  speak(1100);
  let commit;
  store.save = () => new Promise((resolve) => (commit = resolve));
  const told = [];
  made.mark().then((at) => told.push(at));
  await moment();
  assert.deepEqual(told, []);
  commit();
  await moment();
  assert.deepEqual(told, [5000]);
});

test('where nothing comes from the microphone that is known, its sound is asked for, and no time is counted', async () => {
  const { made, facts, speak, wait } = await recording();
  speak(1100);
  assert.deepEqual([facts.stalled, facts.capturedMs], [false, 5000]);
  wait(3000);
  assert.equal(facts.stalled, true);
  assert.deepEqual(heard.slice(1), ['woken']);
  speak(200);
  assert.deepEqual([facts.stalled, facts.capturedMs], [false, 5200]);
  assert.deepEqual(facts.gap, { ms: 3000, slept: false });
  made.forgetGap();
  speak(1000);
  assert.equal(facts.gap, null);
});

test('the last sound of a stretch that had stood still is no sign that sound goes on', async () => {
  const { made, facts, framer, speak, wait } = await recording();
  speak(1100);
  wait(3000);
  framer.end();
  assert.deepEqual([facts.stalled, facts.gap], [true, null]);
  await made.reopen();
  assert.equal(facts.stalled, false);
  assert.deepEqual(heard.at(-1), [51, 64_000 + 11 * 1600]);
});

test('a server that says of nothing that it is safe is noticed while sound goes on', async () => {
  const { facts, line, speak } = await recording();
  speak(6000);
  assert.ok(facts.unsafeMs >= 5000);
  line.say({ t: 'ack', next: 90, safe_ms: 9000 });
  speak(1000);
  assert.ok(facts.unsafeMs <= 1000);
  speak(6000);
  line.onclose({ code: 1006 });
  assert.equal(facts.unsafeMs, 0);
});

test('sound without words is counted while the server listens, from where it began, and until words come', async () => {
  const { facts, line, speak } = await recording();
  speak(1000, 0.001);
  assert.equal(facts.voicedMs, 0);
  speak(2000);
  line.say({ t: 'partial', text: '', start_ms: 0 });
  assert.deepEqual([facts.voicedMs, facts.voicedFrom], [1900, 5000]);
  for (const words of [{ t: 'partial', text: 'yes', start_ms: 0 }, { t: 'html', rev: 1, html: '<p>yes</p>' }, { ...LISTENING, state: 'catching_up' }]) {
    line.say(words);
    assert.equal(facts.voicedMs, 0);
    line.say(LISTENING);
    speak(500);
    assert.equal(facts.voicedMs, 500);
  }
  line.say({ ...LISTENING, state: 'catching_up' });
  speak(500);
  assert.equal(facts.voicedMs, 0);
});

test('of a full disk it is said that the browser keeps the sound only where it does', async () => {
  const { facts, line, speak } = await recording();
  const full = { t: 'error', code: 'disk_full', message: 'Your browser keeps the recording.', action: 'none' };
  line.say(full);
  assert.equal(facts.trouble.message, full.message);
  speak(200);
  await moment();
  line.say(full);
  assert.match(facts.trouble.message, /This page alone holds the recording/);
  line.say({ ...full, message: '' });
  assert.equal(facts.trouble, null);
});

test('what nobody speaks to pauses by itself, where that was asked for, and says so a minute before', async () => {
  const { made, facts, line, speak } = await recording({ pauseAfter: 2 });
  speak(59_000, 0.01);
  assert.deepEqual([facts.restsInMs, facts.phase], [null, 'recording']);
  speak(2000, 0.01);
  assert.ok(facts.restsInMs <= 60_000);
  speak(200); // a frame is handed over with the next one's first sound
  assert.equal(facts.restsInMs, null);
  const softly = [{ t: 'partial', text: 'softly', start_ms: 0 }, { t: 'html', rev: 1, html: '<p>softly</p>' }];
  for (const somebody of [...softly.map((words) => () => line.say(words)), () => made.keepOn()]) {
    speak(100_000, 0.01);
    somebody();
    await moment();
    assert.equal(facts.phase, 'recording');
  }
  speak(119_000, 0.01);
  await moment();
  assert.equal(facts.phase, 'recording');
  speak(2000, 0.01);
  await moment();
  assert.deepEqual([facts.phase, facts.restedMs], ['paused', 120_000]);
  await made.togglePause();
  assert.deepEqual([facts.phase, facts.restedMs, facts.restFrames], ['recording', 0, 0]);
});

test('without the wish for it silence pauses nothing', async () => {
  const { facts, speak } = await recording();
  speak(200_000, 0);
  await moment();
  assert.deepEqual([facts.phase, facts.restsInMs], ['recording', null]);
});

test('a key let go before the microphone is open pauses what then begins', async () => {
  const made = recorder();
  const started = made.start();
  await moment();
  const paused = made.pause();
  lines[0].greet();
  await started;
  await paused;
  assert.equal(made.facts.phase, 'paused');
});
