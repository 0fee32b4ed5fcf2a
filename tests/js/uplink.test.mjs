import assert from 'node:assert/strict';
import { test } from 'node:test';

import { backOff, MOST_BUFFERED, Uplink } from '../../static/js/uplink.js';
import { Framer, FRAME_SAMPLES } from '../../static/js/pcm-worklet.js';
import { readHeader, renumber } from '../../static/js/frames.js';

/** A clock that goes when told. */
class Clock {
  time = 0;
  calls = [];
  random = () => 1;
  now = () => this.time;
  wall = () => 1_700_000_000_000 + this.time;

  after = (ms, call) => {
    const entry = { at: this.time + ms, call };
    this.calls.push(entry);
    return () => (this.calls = this.calls.filter((one) => one !== entry));
  };

  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      const next = this.calls.filter((one) => one.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.calls = this.calls.filter((one) => one !== next);
      this.time = next.at;
      next.call();
      await settle();
    }
    this.time = end;
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** What IndexedDB does, in memory; `broken` refuses to keep. */
class Shelf {
  frames = new Map();
  saved = null;
  broken = false;

  async put(session, seq, bytes) {
    if (this.broken) throw new Error('quota');
    this.frames.set(seq, bytes.slice());
    this.saved = session;
  }

  async drop(sid, next) {
    for (const seq of [...this.frames.keys()]) if (seq < next) this.frames.delete(seq);
  }

  async read(sid, from) {
    return [...this.frames].filter(([seq]) => seq >= from).sort(([a], [b]) => a - b).slice(0, 500).map(([, b]) => b);
  }

  async save(session) {
    this.saved = session;
  }

  async *all(sid) {
    yield* await this.read(sid, 0);
  }

  async part(sid, to, from) {
    const moved = [...this.frames].filter(([seq]) => seq >= from.seq);
    for (const [, frame] of moved) renumber(frame, from);
    this.frames = new Map(moved.map(([seq, frame]) => [seq - from.seq, frame]));
    this.saved = to;
    this.parted = sid;
  }
}

class Socket {
  bufferedAmount = 0;
  texts = [];
  frames = [];
  sent = [];
  closed = false;

  send(data) {
    if (typeof data === 'string') this.texts.push(JSON.parse(data));
    else {
      this.frames.push(readHeader(data).seq);
      this.sent.push(readHeader(data));
    }
  }

  close() {
    this.closed = true;
  }

  async say(message) {
    this.onmessage({ data: JSON.stringify(message) });
    await settle();
  }

  async die(code = 1006) {
    this.onclose({ code });
    await settle();
  }

  kinds() {
    return this.texts.map((text) => text.t);
  }
}

function setUp({ made = 0, intent = 'record', finishing = false } = {}) {
  const world = { clock: new Clock(), shelf: new Shelf(), sockets: [], heard: [] };
  const session = { sid: 's', title: '', language: 'en', provider: 'p', started: 1, rate: 48000, made, samples: 0, finishing };
  world.uplink = new Uplink(session, {
    store: world.shelf,
    clock: world.clock,
    intent,
    connect: (sid) => {
      const socket = Object.assign(new Socket(), { sid });
      world.sockets.push(socket);
      return socket;
    },
    on: (kind, data) => world.heard.push([kind, data]),
  });
  const framer = new Framer((buffer) => (world.made = world.uplink.frame(buffer)));
  framer.start(made, 0);
  world.speak = async (frames) => {
    for (let i = 0; i < frames; i++) {
      framer.write(new Float32Array(FRAME_SAMPLES).fill(0.1), FRAME_SAMPLES);
      framer.end();
      await world.made;
    }
    await settle();
  };
  world.kinds = () => world.heard.map(([kind]) => kind);
  return world;
}

const resume = (next, rev = 0) => ({ t: 'resume', next, rev, state: 'listening', status: 'live' });
const last = (list) => list.at(-1);

test('frames are kept before any line is up, and sent once the server has asked for them', async () => {
  const world = setUp();
  world.uplink.start();
  await world.speak(3);
  assert.equal(world.shelf.frames.size, 3);
  assert.deepEqual(world.sockets[0].frames, []);
  await world.sockets[0].say(resume(0));
  assert.deepEqual(world.sockets[0].frames, [0, 1, 2]);
  assert.equal(world.sockets[0].texts[0].t, 'open');
  assert.deepEqual(world.sockets[0].texts[0].rev, -1);
});

test('a frame is not sent before it is kept', async () => {
  const world = setUp();
  let keep;
  world.shelf.put = () => new Promise((resolve) => (keep = resolve));
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  const speaking = world.speak(1);
  await settle();
  assert.deepEqual(world.sockets[0].frames, []);
  keep();
  await speaking;
  assert.deepEqual(world.sockets[0].frames, [0]);
});

test('only what was acknowledged is let go', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.speak(5);
  await world.sockets[0].say({ t: 'ack', next: 3, safe_ms: 300 });
  assert.deepEqual([...world.shelf.frames.keys()], [3, 4]);
  assert.equal(world.kinds().filter((kind) => kind === 'recycle').length, 3);
});

test('after a drop the server gets exactly what it lacks', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.speak(5);
  await world.sockets[0].say({ t: 'ack', next: 2, safe_ms: 200 });
  await world.sockets[0].die();
  await world.speak(4);
  await world.clock.pass(200);
  await last(world.sockets).say(resume(4));
  assert.deepEqual(last(world.sockets).frames, [4, 5, 6, 7, 8]);
  assert.deepEqual(world.heard.filter(([kind]) => kind === 'line').map(([, { up }]) => up), [true, false, true]);
});

test('a hole seen by the server is filled on the same connection', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.speak(4);
  await world.sockets[0].say(resume(2));
  assert.deepEqual(world.sockets[0].frames, [0, 1, 2, 3, 2, 3]);
  assert.equal(world.sockets[0].kinds().filter((kind) => kind === 'open').length, 1);
});

test('frames of an earlier visit are read back in batches and drained', async () => {
  const earlier = setUp();
  earlier.uplink.start();
  await earlier.speak(1200);
  const world = setUp({ made: 1200, intent: 'upload' });
  world.uplink.store = earlier.shelf;
  world.uplink.start();
  await world.sockets[0].say(resume(10));
  await settle();
  assert.deepEqual(world.sockets[0].frames, Array.from({ length: 1190 }, (_, i) => i + 10));
  assert.equal(world.sockets[0].texts[0].intent, 'upload');
  assert.ok(!world.kinds().includes('drained'));
  await world.sockets[0].say({ t: 'ack', next: 1200, safe_ms: 0 });
  assert.ok(world.kinds().includes('drained'));
});

test('a frame that is gone is reported, not skipped', async () => {
  const world = setUp({ made: 10, intent: 'upload' });
  world.uplink.start();
  await world.sockets[0].say(resume(3));
  assert.deepEqual(world.heard.find(([kind]) => kind === 'hole'), ['hole', { wanted: 3 }]);
  assert.deepEqual(world.sockets[0].frames, []);
});

test('finish is said after the last frame, and again after a drop', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.speak(3);
  await world.uplink.finish();
  assert.deepEqual(last(world.sockets[0].texts), { t: 'finish', next: 3 });
  assert.equal(world.shelf.saved.finishing, true);
  await world.sockets[0].die();
  await world.clock.pass(4000);
  await last(world.sockets).say(resume(3));
  assert.deepEqual(last(last(world.sockets).texts), { t: 'finish', next: 3 });
  assert.equal(world.sockets.length, 2);
});

test('ended closes the line for good', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.sockets[0].say({ t: 'ended', url: '/x' });
  await world.clock.pass(60_000);
  assert.equal(world.sockets.length, 1);
  assert.ok(world.sockets[0].closed);
});

test('sending waits while the socket is full', async () => {
  const world = setUp();
  world.uplink.start();
  world.sockets[0].bufferedAmount = MOST_BUFFERED + 1;
  await world.sockets[0].say(resume(0));
  await world.speak(3);
  assert.deepEqual(world.sockets[0].frames, []);
  world.sockets[0].bufferedAmount = 0;
  await world.clock.pass(1000);
  assert.deepEqual(world.sockets[0].frames, [0, 1, 2]);
});

test('a peer that says nothing is found dead within ten seconds', async () => {
  const world = setUp();
  world.uplink.start();
  await world.clock.pass(500);
  await world.sockets[0].say(resume(0));
  await world.clock.pass(8500);
  assert.ok(!world.sockets[0].closed);
  assert.ok(world.sockets[0].kinds().includes('ping'));
  await world.clock.pass(1500);
  assert.ok(world.sockets[0].closed);
  await world.clock.pass(200);
  assert.equal(world.sockets.length, 2);
});

test('a page whose timers sleep answers when it is spoken to, and keeps its line', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  for (let i = 0; i < 10; i++) {
    world.clock.time += 6000; // and no timer runs
    await world.sockets[0].say({ t: 'pong' });
    await world.sockets[0].say({ t: 'pong' }); // the answer to its ping
  }
  assert.equal(world.sockets[0].kinds().filter((kind) => kind === 'ping').length, 10);
  for (const call of world.clock.calls) call.at = world.clock.time; // the one turn in a minute
  await world.clock.pass(0);
  assert.ok(!world.sockets[0].closed);
});

test('pongs keep a quiet line alive', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  for (let i = 0; i < 12; i++) {
    await world.clock.pass(5000);
    await world.sockets[0].say({ t: 'pong' });
  }
  assert.equal(world.sockets.length, 1);
});

test('tries grow rarer up to four seconds, and a return of the network is answered at once', async () => {
  assert.deepEqual([0, 1, 4, 5, 50].map((tries) => backOff(tries, 1)), [200, 400, 3200, 4000, 4000]);
  assert.equal(backOff(3, 0), 0);
  const world = setUp();
  world.uplink.start();
  for (let i = 0; i < 8; i++) {
    await last(world.sockets).die();
    if (i < 7) await world.clock.pass(4000);
  }
  const before = world.sockets.length;
  world.uplink.retry();
  assert.equal(world.sockets.length, before + 1);
});

for (const code of [4401, 4403, 4404, 4409, 4413]) {
  test(`close code ${code} ends all tries until the person asks`, async () => {
    const world = setUp();
    world.uplink.start();
    await world.sockets[0].die(code);
    await world.clock.pass(60_000);
    assert.equal(world.sockets.length, 1);
    assert.deepEqual(last(world.heard), ['refused', { code }]);
    world.uplink.retry();
    assert.equal(world.sockets.length, 2);
  });
}

test('a restarting server (1012) is waited for', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].die(1012);
  await world.clock.pass(200);
  assert.equal(world.sockets.length, 2);
});

test('what could not be kept is still held and sent', async () => {
  const world = setUp();
  world.shelf.broken = true;
  world.uplink.start();
  await world.speak(2);
  assert.ok(world.kinds().includes('kept'));
  await world.sockets[0].say(resume(0));
  assert.deepEqual(world.sockets[0].frames, [0, 1]);
});

test('a pause outlives a drop, marks said offline arrive, an undo said offline does not', async () => {
  const world = setUp();
  world.uplink.start();
  world.uplink.pause();
  world.uplink.mark(5);
  world.uplink.say({ t: 'undo' });
  await world.sockets[0].say(resume(0));
  assert.deepEqual(world.sockets[0].kinds(), ['open', 'pause', 'mark']);
  world.uplink.resume();
  assert.equal(last(world.sockets[0].kinds()), 'continue');
});

test('the page tells the revision of its log', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.sockets[0].say({ t: 'html', rev: 7, html: '' });
  await world.sockets[0].die();
  await world.clock.pass(200);
  await last(world.sockets).say(resume(0, 7));
  assert.equal(last(world.sockets).texts[0].rev, 7);
});

test('a session that went on elsewhere continues after its last frame', async () => {
  const world = setUp({ made: 5 });
  world.uplink.start();
  await world.sockets[0].say(resume(40));
  assert.equal(world.uplink.session.made, 40);
});

test('an old socket that speaks late is not listened to', async () => {
  const world = setUp();
  world.uplink.start();
  const old = world.sockets[0];
  const late = old.onmessage;
  await old.die();
  await world.clock.pass(200);
  await last(world.sockets).say(resume(0));
  late({ data: JSON.stringify({ t: 'ack', next: 99, safe_ms: 0 }) });
  assert.equal(world.uplink.durable, 0);
});

const PHONE = 1_699_999_999_000;
/** A greeting whose last frame has the clock `wall`. */
const after = (next, wall) => ({ ...resume(next), wall });
const wallOf = (world, seq) => readHeader(world.shelf.frames.get(seq)).wall;

/** A page that has spoken ten frames of which three are safe, and whose line is gone; after a reload, with what was kept. */
async function offline(reloaded) {
  const before = setUp();
  before.uplink.start();
  await before.sockets[0].say(resume(0));
  await before.speak(10);
  await before.sockets[0].say({ t: 'ack', next: 3, safe_ms: 300 });
  await before.sockets[0].die();
  if (!reloaded) {
    await before.clock.pass(200);
    return before;
  }
  const world = setUp({ made: 10, intent: 'upload' });
  world.uplink.session.samples = 16000;
  world.shelf = world.uplink.store = before.shelf;
  world.uplink.start();
  return world;
}

/** Greeted so by a server that has the frames of another device, behind those whose clocks are in `had`. */
async function greetedAsAnother(socket, next, had = []) {
  await socket.say(after(next, PHONE));
  assert.deepEqual(socket.texts, [{ t: 'whose', from: 3 }]);
  const walls = Array.from({ length: next - 3 }, (_, i) => had[i] ?? PHONE - 100 * (next - i));
  await socket.say({ t: 'walls', from: 3, walls });
}

for (const reloaded of [false, true]) {
  const how = reloaded ? 'after a reload' : 'after a drop';

  test(`${how}, what the server has of this page is let go`, async () => {
    const world = await offline(reloaded);
    await last(world.sockets).say(after(7, wallOf(world, 6)));
    assert.deepEqual(last(world.sockets).frames, [7, 8, 9]);
    assert.deepEqual([...world.shelf.frames.keys()], [7, 8, 9]);
    assert.ok(!world.kinds().includes('parted'));
  });

  for (const next of [7, 10, 40]) {
    test(`${how}, what another device said up to ${next} takes nothing from what was said here`, async () => {
      const world = await offline(reloaded);
      const [walls, greeted] = [[3, 9].map((seq) => wallOf(world, seq)), last(world.sockets)];
      await greetedAsAnother(greeted, next);
      assert.deepEqual([greeted.frames, greeted.closed], [[], true]);
      assert.deepEqual(world.heard.find(([kind]) => kind === 'parted'), ['parted', { from: 's' }]);
      const { session } = world.uplink;
      assert.match(session.sid, /^[0-9a-f-]{36}$/);
      assert.deepEqual([session.made, session.samples, session.started], [7, 7 * FRAME_SAMPLES, walls[0]]);
      assert.deepEqual([world.shelf.parted, world.shelf.saved.sid], ['s', session.sid]);
      const own = last(world.sockets);
      assert.equal(own.sid, session.sid);
      await own.say(after(0, null));
      assert.equal(own.texts[0].title, 'Meanwhile, on another device');
      assert.deepEqual(own.frames, [0, 1, 2, 3, 4, 5, 6]);
      assert.deepEqual(own.sent.map(({ first }) => first), own.frames.map((seq) => seq * FRAME_SAMPLES));
      assert.deepEqual([own.sent[0].wall, last(own.sent).wall], walls);
      assert.deepEqual([...world.shelf.frames.keys()], own.frames);
      await own.say({ t: 'ack', next: 7, safe_ms: 700 });
      assert.ok(world.kinds().includes('drained'));
    });
  }
}

for (const reloaded of [false, true]) {
  test(`of what was on its way, only what did not arrive is parted${reloaded ? ', after a reload too' : ''}`, async () => {
    const world = await offline(reloaded);
    const wall = wallOf(world, 5);
    await greetedAsAnother(last(world.sockets), 40, [3, 4].map((seq) => wallOf(world, seq)));
    await last(world.sockets).say(after(0, null));
    assert.deepEqual([last(world.sockets).frames, last(world.sockets).sent[0].wall], [[0, 1, 2, 3, 4], wall]);
  });

  test(`where all of it arrived there is nothing to part${reloaded ? ', after a reload either' : ''}`, async () => {
    const world = await offline(reloaded);
    const socket = last(world.sockets);
    await greetedAsAnother(socket, 40, [3, 4, 5, 6, 7, 8, 9].map((seq) => wallOf(world, seq)));
    assert.deepEqual([socket.closed, socket.kinds()[1], world.uplink.session.made], [false, 'open', 40]);
    assert.ok(world.kinds().includes('drained') && !world.kinds().includes('parted'));
    assert.equal(world.shelf.frames.size, 0);
  });
}

for (const [frames, parts] of [[8, false], [20, true]]) {
  test(`${frames / 10} s said before a page hears that it was taken over ${parts ? 'are kept' : 'are no recording'}`, async () => {
    const world = setUp();
    world.uplink.start();
    await world.sockets[0].say(after(0, null));
    await world.speak(frames);
    await world.sockets[0].die(4409);
    world.uplink.retry();
    await last(world.sockets).say(after(5, PHONE));
    await last(world.sockets).say({ t: 'walls', from: 0, walls: [] });
    assert.equal(world.kinds().includes('parted'), parts);
    if (parts) return;
    assert.deepEqual([world.uplink.place.seq, world.shelf.frames.size, world.uplink.session.taken], [5, 0, false]);
    assert.deepEqual([last(world.sockets).kinds()[1], last(world.sockets).frames], ['open', []]);
  });
}

test('a page that holds nothing unsent goes on behind what another device said', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(after(0, null));
  await world.speak(4);
  await world.sockets[0].say({ t: 'ack', next: 4, safe_ms: 400 });
  await world.sockets[0].die();
  await world.clock.pass(200);
  await last(world.sockets).say(after(30, PHONE));
  assert.equal(world.uplink.session.made, 30);
  assert.ok(!world.kinds().includes('parted'));
});

test('who speaks on while the sound is parted is heard in the new session, frame after frame', async () => {
  const world = await offline(false);
  world.uplink.mark(600);
  world.uplink.mark(100);
  const greeted = last(world.sockets);
  let moved;
  const part = world.shelf.part.bind(world.shelf);
  world.shelf.part = async (...all) => {
    await part(...all);
    return new Promise((resolve) => (moved = resolve));
  };
  const sockets = world.sockets.length;
  await greetedAsAnother(greeted, 40);
  assert.deepEqual(last(greeted.texts), { t: 'mark', at_ms: 100 }, 'what it marks is on the server');
  world.uplink.retry();
  assert.equal(world.sockets.length, sockets, 'no line before everything is where it belongs');
  assert.deepEqual(world.uplink.place, { seq: 10, first: 10 * FRAME_SAMPLES });
  await world.speak(2);
  assert.deepEqual(world.uplink.place, { seq: 12, first: 12 * FRAME_SAMPLES });
  moved();
  await settle();
  const own = last(world.sockets);
  await own.say(after(0, null));
  assert.deepEqual(own.frames, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.deepEqual(own.texts[1], { t: 'mark', at_ms: 300 });
  await world.speak(1);
  assert.equal(last(own.frames), 9);
  await world.uplink.finish();
  assert.deepEqual(last(own.texts), { t: 'finish', next: 10 });
});

test('what only memory holds is parted too', async () => {
  const world = setUp();
  world.shelf.broken = true;
  world.uplink.start();
  await world.sockets[0].say(after(0, null));
  await world.speak(3);
  await world.sockets[0].die();
  await world.clock.pass(200);
  await last(world.sockets).say(after(2, PHONE));
  await last(world.sockets).say({ t: 'walls', from: 0, walls: [] });
  await last(world.sockets).say(after(0, null));
  assert.deepEqual(last(world.sockets).frames, [0, 1, 2]);
});

test('a server of before, which tells no clock, is believed', async () => {
  const world = await offline(false);
  await last(world.sockets).say(resume(7));
  assert.deepEqual(last(world.sockets).frames, [7, 8, 9]);
});

test('what the server says while its greeting is looked into is heard afterwards', async () => {
  const world = await offline(true);
  const socket = last(world.sockets);
  const wall = wallOf(world, 6);
  for (const message of [after(7, wall), { t: 'ack', next: 8, safe_ms: 800 }]) socket.onmessage({ data: JSON.stringify(message) });
  await settle();
  assert.deepEqual(world.heard.filter(([kind]) => kind === 'message').map(([, { t }]) => t), ['resume', 'ack']);
  assert.equal(world.uplink.durable, 8);
});

test('a marker is kept, and said at each greeting until the server has it', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(after(0, null));
  await world.speak(1);
  await world.uplink.mark(50);
  assert.deepEqual(world.shelf.saved.marks, [50]);
  await world.sockets[0].say({ t: 'ack', next: 1, safe_ms: 100 });
  await world.sockets[0].die(); // the line was dead: nobody has it
  const again = setUp({ made: 1, intent: 'upload' });
  again.uplink.session.marks = world.shelf.saved.marks;
  again.uplink.start();
  await again.sockets[0].say(after(1, PHONE));
  assert.deepEqual(again.sockets[0].texts[1], { t: 'mark', at_ms: 50 });
  assert.ok(!again.kinds().includes('drained'));
  await again.sockets[0].say({ t: 'marked', at_ms: 50 });
  assert.ok(again.kinds().includes('drained'));
  assert.deepEqual(again.shelf.saved.marks, []);
});

test('what is not on the server is given out whole: kept, or in memory alone', async () => {
  const world = setUp();
  world.uplink.start();
  await world.sockets[0].say(resume(0));
  await world.speak(3);
  await world.sockets[0].say({ t: 'ack', next: 1, safe_ms: 100 });
  world.shelf.broken = true;
  await world.speak(2);
  assert.deepEqual((await world.uplink.unsent()).map((frame) => readHeader(frame).seq), [1, 2, 3, 4]);
});
