/** What is kept is handed over as its own person's only; what nobody will take is said. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Framer, FRAME_SAMPLES } from '../../static/js/pcm-worklet.js';
import { bytesOf } from '../../static/js/frames.js';
import { Recovery } from '../../static/js/recovery.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const lines = [];

class Line {
  bufferedAmount = 0;
  sent = [];

  constructor(url) {
    this.sid = url.split('/').at(-2);
    lines.push(this);
  }

  send(data) {
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  close() {}

  async say(message) {
    this.onmessage({ data: JSON.stringify(message) });
    await settle();
  }
}

globalThis.WebSocket = Line;
globalThis.location = { origin: 'http://memweb.test' };
globalThis.addEventListener = globalThis.removeEventListener = () => {};
Object.defineProperty(globalThis, 'navigator', { value: {} });

/** What store.js promises, in memory. */
class Shelf {
  rows = new Map();
  frames = new Map();
  moved = [];

  keep(sid, count, more = {}) {
    const frames = [];
    const framer = new Framer((buffer) => frames.push(bytesOf(buffer).slice()));
    framer.write(new Float32Array(count * FRAME_SAMPLES).fill(0.1), count * FRAME_SAMPLES);
    framer.end();
    this.frames.set(sid, frames);
    this.rows.set(sid, { sid, title: '', started: Date.now(), made: count, samples: count * FRAME_SAMPLES, finishing: false, ...more });
  }

  async sessions() {
    return [...this.rows.values()];
  }

  async count(sid) {
    return this.frames.get(sid)?.length ?? 0;
  }

  async read(sid, from) {
    return (this.frames.get(sid) ?? []).slice(from);
  }

  async drop() {}

  async save(session) {
    this.rows.set(session.sid, session);
  }

  async move(...all) {
    this.moved.push(all);
    this.rows.delete(all[0]);
  }

  async forget(sid) {
    this.rows.delete(sid);
    this.frames.delete(sid);
  }
}

function setUp() {
  const world = { shelf: new Shelf(), told: [] };
  const tell = (kind) => (...all) => world.told.push([kind, ...all]);
  world.recovery = new Recovery(world.shelf, 'ann', { recovered: tell('recovered'), stuck: tell('stuck') });
  world.run = async () => {
    await world.recovery.run();
    await settle();
  };
  return world;
}

const resume = { t: 'resume', next: 0, rev: 0, state: 'idle', status: 'new', wall: null };

beforeEach(() => {
  lines.length = 0;
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

test('only what the person who is signed in said is handed over, and what was kept before sessions had a person', async () => {
  const world = setUp();
  world.shelf.keep('hers', 3, { person: 'ann' });
  world.shelf.keep('his', 3, { person: 'bob', finishing: true, marks: [5] });
  world.shelf.keep('older', 3);
  await world.run();
  assert.deepEqual(lines.map(({ sid }) => sid), ['hers', 'older']);
});

test('what is on the server is told, and its row goes once it is finished', async () => {
  const world = setUp();
  world.shelf.keep('a', 3, { person: 'ann', finishing: true });
  await world.run();
  await lines[0].say(resume);
  await lines[0].say({ t: 'ack', next: 3, safe_ms: 300 });
  await lines[0].say({ t: 'ended', url: '/transcripts/a/' });
  assert.deepEqual(world.told, [['recovered', 300, '/transcripts/a/', false]]);
  assert.equal(world.shelf.rows.size, 0);
});

test('markers without sound are handed over too, and nothing is said of them', async () => {
  const world = setUp();
  world.shelf.keep('a', 0, { person: 'ann', marks: [700] });
  await world.run();
  await lines[0].say(resume);
  assert.deepEqual(lines[0].sent[1], { t: 'mark', at_ms: 700 });
  await lines[0].say({ t: 'marked', at_ms: 700 });
  assert.deepEqual([world.shelf.rows.get('a').marks, world.told], [[], []]);
  await world.recovery.settled('a');
});

for (const code of [4403, 4404, 4413]) {
  test(`what the server refuses with ${code} stays, and is said`, async () => {
    const world = setUp();
    world.shelf.keep('a', 12, { person: 'ann' });
    await world.run();
    lines[0].onclose({ code });
    await world.recovery.settled('a');
    await settle();
    assert.deepEqual(world.told, [['stuck', 'a', 1200]]);
    assert.equal(await world.shelf.count('a'), 12);
  });
}

test('what is missing in between is said', async () => {
  const world = setUp();
  world.shelf.keep('a', 12, { person: 'ann' });
  await world.run();
  world.shelf.read = async () => [];
  await lines[0].say(resume);
  assert.deepEqual(world.told, [['stuck', 'a', 1200]]);
});

for (const code of [4401, 4409]) {
  test(`what only waits (${code}) is not called stuck`, async () => {
    const world = setUp();
    world.shelf.keep('a', 12, { person: 'ann' });
    await world.run();
    lines[0].onclose({ code });
    await world.recovery.settled('a');
    await settle();
    assert.deepEqual(world.told, []);
  });
}

test('frames that were being moved to another session when the browser ended are moved before it is handed over', async () => {
  const world = setUp();
  const from = { seq: 3, first: 4800 };
  world.shelf.keep('old', 2, { person: 'ann', parting: { sid: 'new', from } });
  world.shelf.keep('new', 4, { person: 'ann' });
  await world.run();
  assert.deepEqual([world.shelf.moved, lines.map(({ sid }) => sid)], [[['old', 'new', from]], ['new']]);
});
