/** What a recorder does when this device runs out of room, or its microphone out of voice. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { HEADER_BYTES } from '../../static/js/frames.js';
import { Microphone } from '../../static/js/microphone.js';
import { Recorder } from '../../static/js/recorder.js';
import { NoStore } from '../../static/js/store.js';

const moment = () => new Promise((resolve) => setImmediate(resolve));
const [MINUTE, HALF_AN_HOUR, TWO_HOURS] = [600, 18_000, 72_000];
const did = [];
let device;
let storage;

globalThis.WebSocket = class { close() {} }; // a line that never comes up: nothing made here is safe elsewhere
globalThis.location = { origin: 'http://memweb.test' };
Object.defineProperty(globalThis, 'navigator', { value: { storage: { estimate: async () => storage } } });
Object.assign(Microphone.prototype, {
  async open() { device = this.on; },
  begin() {},
  async end() { did.push('end'); },
  close() { did.push('close'); },
});

beforeEach(() => {
  did.length = 0;
  storage = { usage: 0, quota: 100 };
  mock.timers.enable({ apis: ['setTimeout'] }); // an uplink looks after its line for ever
});
afterEach(() => mock.timers.reset());

/** The microphone's frame with this number. */
async function hear(seq) {
  const frame = new ArrayBuffer(HEADER_BYTES);
  new DataView(frame).setUint32(4, seq, true);
  device.frame(frame);
  await moment();
}

/** A recorder that has kept `unsent` frames, and one that keeps them unless told otherwise. */
async function recording(unsent = 0, store = Object.assign(new NoStore(), { put: async () => {} })) {
  const on = { change() {}, level() {}, message() {}, ended() {} };
  const made = new Recorder({ store, worklet: '', choices: () => ({ language: '', provider: '' }), sid: '', samples: 0, settled: async () => {}, on });
  await made.start();
  if (unsent) await hear(unsent - 1);
  assert.equal(made.facts.phase, 'recording');
  return made;
}

const standing = ({ facts: { phase, problem, trouble } }) => [phase, problem?.code, trouble?.code];

test('half an hour unsent is told, and recording goes on', async () => {
  const made = await recording(HALF_AN_HOUR - 1);
  assert.deepEqual(standing(made), ['recording', undefined, undefined]);
  await hear(HALF_AN_HOUR - 1);
  assert.deepEqual(standing(made), ['recording', undefined, 'unsent']);
  assert.deepEqual(did, []);
});

test('at two hours unsent it stops listening, and the session stays', async () => {
  const made = await recording(TWO_HOURS - 1);
  await hear(TWO_HOURS - 1);
  assert.deepEqual(standing(made), ['paused', 'long_unsent', undefined]);
  assert.deepEqual(did, ['end', 'close']);
  assert.equal(made.session.made, TWO_HOURS);
});

test('a full device is looked for every minute, and it stops listening there', async () => {
  const made = await recording(MINUTE - 2);
  storage.usage = 81;
  await hear(MINUTE - 2);
  assert.equal(made.facts.phase, 'recording');
  await hear(MINUTE - 1);
  assert.deepEqual(standing(made), ['paused', 'local_full', undefined]);
  assert.deepEqual(did, ['end', 'close']);
});

test('a device with room, or one that tells nothing, stops nobody', async () => {
  const made = await recording();
  storage.usage = 80;
  await hear(MINUTE - 1);
  storage = undefined;
  await hear(2 * MINUTE - 1);
  assert.deepEqual(standing(made), ['recording', undefined, undefined]);
});

test('a muted microphone is told of until it speaks again', async () => {
  const made = await recording();
  device.muted(true);
  assert.deepEqual(standing(made), ['recording', undefined, 'muted']);
  device.muted(false);
  assert.deepEqual(standing(made), ['recording', undefined, undefined]);
});

test('a voice that comes back takes no other word away', async () => {
  const made = await recording(HALF_AN_HOUR);
  device.muted(false);
  assert.deepEqual(standing(made), ['recording', undefined, 'unsent']);
});

test('it is a fact where the browser keeps nothing', async () => {
  const keeping = await recording(1);
  assert.equal(keeping.facts.keeps, true);
  const losing = await recording(1, new NoStore());
  assert.equal(losing.facts.keeps, false);
});
