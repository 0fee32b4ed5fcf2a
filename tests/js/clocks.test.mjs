/** Whether sound comes and becomes safe, as it is seen from a page whose timers may be late and whose machine may sleep. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Clocks } from '../../static/js/clocks.js';

const SAMPLES = 1600; // 100 ms
const time = { steady: 10_000, wall: 1_700_000_000_000 };
let clocks;

/** Time goes by; asleep, the steady clock stands as well. */
function pass(ms, { asleep = false } = {}) {
  time.wall += ms;
  if (!asleep) time.steady += ms;
}

/** A frame that was made `late` ms before it is taken. */
const frame = (late = 0) => clocks.frame({ samples: SAMPLES, wall: time.wall - 100 - late });

/** As a page does it where all is well. */
function record(ms, { sound = true } = {}) {
  const seen = [];
  for (let at = 100; at <= ms; at += 100) {
    pass(100);
    if (sound) assert.equal(frame(), null);
    if (at % 500 === 0) seen.push(clocks.look());
  }
  return seen;
}

beforeEach(() => {
  clocks = new Clocks({ now: () => time.steady, wall: () => time.wall });
  clocks.begin();
});

test('while frames come nothing has stopped', () => {
  assert.deepEqual(record(3000), Array(6).fill({ stalled: false, unsafeMs: 0 }));
});

test('after two seconds without a frame nothing is recorded, until one comes', () => {
  record(1000);
  assert.deepEqual(record(3000, { sound: false }).map(({ stalled }) => stalled), [false, false, false, false, false, true]);
  pass(100);
  assert.deepEqual(frame(), { ms: 3000, slept: false });
  assert.equal(clocks.look().stalled, false);
  assert.equal(record(1000).at(-1).stalled, false, 'and it is said once');
});

test('a microphone that never sends anything is found out too', () => {
  assert.equal(record(3000, { sound: false }).at(-1).stalled, true);
});

test('a late timer is not taken for silence: frames that wait have their turn first', () => {
  record(1000);
  pass(30_000);
  assert.equal(clocks.look().stalled, false);
  for (let late = 29_900; late >= 0; late -= 100) assert.equal(frame(late), null);
  pass(500);
  assert.equal(clocks.look().stalled, false);
});

test('a page that was busy and looks only afterwards has missed nothing', () => {
  record(1000);
  pass(30_000);
  for (let late = 29_900; late >= 0; late -= 100) assert.equal(frame(late), null);
  assert.equal(clocks.look().stalled, false);
});

for (const [who, first] of [['a timer', () => clocks.look()], ['the frame', () => {}]]) {
  for (const asleep of [true, false]) {
    const machine = asleep ? 'with its machine' : 'alone';
    test(`a page that slept ${machine} says for how long, where ${who} comes first`, () => {
      record(1000);
      pass(40_000, { asleep });
      first();
      pass(100);
      assert.deepEqual(frame(), { ms: 40_000, slept: true });
    });
  }
}

test('sleep is known by it also where sound from before it is taken after it', () => {
  record(1000);
  pass(100);
  pass(40_000);
  assert.equal(frame(40_000), null);
  clocks.look();
  pass(100);
  assert.deepEqual(frame(), { ms: 40_000, slept: true });
  record(1000);
  record(3000, { sound: false });
  pass(100);
  assert.deepEqual(frame(), { ms: 3000, slept: false }, 'what comes later has a reason of its own');
});

test('a pause is no gap', () => {
  record(1000);
  pass(60_000);
  clocks.begin();
  assert.deepEqual(record(1000).map(({ stalled }) => stalled), [false, false]);
});

test('what nobody says is safe counts from the moment it was made, or the last word about any', () => {
  clocks.progress({ made: 1, durable: 0 });
  assert.equal(record(1000).at(-1).unsafeMs, 1000);
  clocks.progress({ made: 11, durable: 5 });
  clocks.progress({ made: 12, durable: 5 });
  assert.equal(record(6000).at(-1).unsafeMs, 6000);
  clocks.progress({ made: 72, durable: 72 });
  assert.equal(clocks.look().unsafeMs, 0);
});

test('a new line, and a page that woke, give the server its time anew', () => {
  clocks.progress({ made: 1, durable: 0 });
  record(6000);
  clocks.line();
  clocks.progress({ made: 61, durable: 0 });
  assert.equal(record(1000).at(-1).unsafeMs, 1000);
  pass(60_000);
  assert.equal(clocks.look().unsafeMs, 0);
  assert.equal(record(1000, { sound: false }).at(-1).unsafeMs, 1000);
});
