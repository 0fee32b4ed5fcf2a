/** What the system does to a microphone is told: muted, taken for a call, given back. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

const contexts = [];
const nodes = [];
const track = { label: 'Desk', stop() {} };

class Context {
  sampleRate = 48_000;
  state = 'running';
  audioWorklet = { addModule: async () => {} };
  destination = {};

  constructor() {
    contexts.push(this);
  }

  async resume() {
    this.resumed = (this.resumed ?? 0) + 1;
  }

  createMediaStreamSource() {
    return { connect: (node) => node };
  }

  close() {
    queueMicrotask(() => this.turn('closed'));
  }

  turn(state) {
    this.state = state;
    this.onstatechange();
  }
}

class Node {
  port = { postMessage() {} };

  constructor() {
    nodes.push(this);
  }

  connect() {}
}

Object.assign(globalThis, { AudioContext: Context, AudioWorkletNode: Node, window: globalThis });
const stream = { getAudioTracks: () => [track], getTracks: () => [track] };
Object.defineProperty(globalThis, 'navigator', { value: { mediaDevices: { getUserMedia: async () => stream } } });
const { Microphone } = await import('../../static/js/microphone.js');

beforeEach(() => (contexts.length = nodes.length = 0));

async function opened() {
  const told = [];
  const frames = [];
  const microphone = new Microphone('', { frame: (frame) => frames.push(frame), gone() {}, muted: (muted) => told.push(muted) });
  await microphone.open({});
  return { told, frames, microphone };
}

test('a switch on the device, or the system, mutes it and lets it speak again', async () => {
  const { told } = await opened();
  track.onmute();
  track.onunmute();
  assert.deepEqual(told, [true, false]);
});

test('a call takes it away and gives it back', async () => {
  const { told } = await opened();
  contexts[0].turn('interrupted');
  contexts[0].turn('running');
  assert.deepEqual(told, [true, false]);
});

test('one that was closed, for another in its place, tells nothing more', async () => {
  const { told, microphone } = await opened();
  microphone.close();
  await microphone.open({});
  contexts[0].turn('interrupted');
  assert.deepEqual(told, []);
  contexts[1].turn('interrupted');
  assert.deepEqual(told, [true]);
});

test('sound that the browser suspends is asked for again, at once and whenever it is woken', async () => {
  const { microphone } = await opened();
  const [context] = contexts;
  const before = context.resumed;
  context.turn('suspended');
  assert.equal(context.resumed, before + 1);
  microphone.wake();
  assert.equal(context.resumed, before + 2);
  context.turn('running');
  context.turn('interrupted');
  microphone.wake();
  assert.equal(context.resumed, before + 2, 'what runs needs no waking, and a call is not disturbed');
});

test('what a thread hands over after its microphone was closed is no part of any recording', async () => {
  const { frames, microphone } = await opened();
  const [{ port }] = nodes;
  port.onmessage({ data: new ArrayBuffer(8) });
  assert.equal(frames.length, 1);
  microphone.close();
  port.onmessage?.({ data: new ArrayBuffer(8) });
  assert.equal(frames.length, 1);
});
