/**
 * One recording's way to the server: a frame is kept here first, then sent, and let go once the server has it on disk.
 *
 * The server speaks first on each connection: `resume` names the frame it wants next, and everything below is safe. Its
 * `wall` is the clock in the last of those: where a frame of that number is here with another clock, another device has
 * gone on with the session meanwhile. What is not safe here then becomes a session of its own, which is handed over as any.
 * The rules of the wire stand in memweb/speech/frames.py. Knows no page: it reports through `on(kind, data)`:
 *   line      {up}             the connection came or went
 *   progress  {made, durable}  frames made here; frames safe on the server
 *   message   the server's own message: resume, ack, state, partial, html, error, ended
 *   recycle   a frame's buffer nobody needs any more
 *   kept      {error}          a frame could not be kept in this browser (it is still sent)
 *   hole      {wanted}         the server asks for a frame that is gone
 *   refused   {code}           the server will not have this page: no more tries by itself
 *   drained   everything made so far is safe
 *   parted    {from}           another device went on: what was said here is the session `session.sid` now, not `from`
 */

import { bytesOf, framesOf, readHeader, renumber, SAMPLES_PER_MS } from './frames.js';
import { meanwhile, uuid7 } from './words.js';

export const PING_MS = 4000;
/** Looked at each second: a dead line is found within ten. */
export const DEAD_MS = 9000;
export const MOST_BUFFERED = 1 << 20;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 4000;
const MOST_HELD = 3000;
/** Frames: a second, in which a page hears that another device has its session. */
const MOST_IN_HAND = 10;
const TAKEN_OVER = 4409;
const REFUSED = new Set([4401, 4403, 4404, 4409, 4413]);

/** How long to wait before try number `tries` (from 0): full jitter, so that pages do not return all at once. */
export function backOff(tries, random) {
  return random * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(tries, 10));
}

const isAnothers = (frame, wall) => typeof wall === 'number' && readHeader(frame).wall !== wall;

export class Uplink {
  #socket = null;
  #greeted = false;
  #wanted = 0;
  #stored;
  #tries = 0;
  #heard = 0;
  #pinged = 0;
  #stopTimer = () => {};
  #stopWatch = () => {};
  #held = new Map();
  #batch = [];
  #loading = false;
  #waiting = [];
  #finishSent = false;
  #closed = false;
  #writes = Promise.resolve();
  /** Where this session began in the one it was parted from: its frames still come with those numbers. */
  #from = { seq: 0, first: 0 };
  /** Whether the server confirms markers: one of before does not, and is believed. */
  #confirms = false;
  /** What the server said while its greeting is looked into. @type {string[] | null} */
  #judging = null;
  #answered = () => {};
  #parting = false;

  /**
   * @param {object} session as store.js describes it
   * @param {object} parts
   * @param {object} parts.store
   * @param {(sid: string) => WebSocket} parts.connect
   * @param {{now: () => number, random: () => number, after: (ms: number, call: () => void) => () => void}} parts.clock
   * @param {(kind: string, data?: object) => void} parts.on
   * @param {'record' | 'upload'} parts.intent
   */
  constructor(session, { store, connect, clock, on, intent = 'record' }) {
    Object.assign(this, { session, store, connect, clock, on, intent });
    this.durable = 0;
    this.revision = -1;
    this.paused = false;
    /** Whether the moment that was in hand when another device took over was let go. */
    this.letGo = false;
    this.#stored = session.made;
    session.marks ??= [];
  }

  /** The number and first sample of the next frame, as whoever makes the frames counts. */
  get place() {
    return { seq: this.session.made + this.#from.seq, first: this.session.samples + this.#from.first };
  }

  get up() {
    return this.#greeted;
  }

  /** Open the line and keep it open until `close`. */
  start() {
    this.#closed = false;
    this.#connect();
    this.#watch();
  }

  /** Now, not when the back-off says so. */
  retry() {
    if (this.#socket !== null || this.#parting) return;
    this.#closed = false;
    this.#tries = 0;
    this.#connect();
  }

  close() {
    this.#closed = true;
    this.#stopTimer();
    this.#stopWatch();
    this.#drop();
  }

  /** Take a new frame over. @param {ArrayBuffer} buffer @returns {Promise<void>} resolves once it is kept or known not to be */
  frame(buffer) {
    const from = this.#from;
    renumber(buffer, from);
    const { seq, samples, first } = readHeader(buffer);
    this.#held.set(seq, buffer);
    this.session.made = seq + 1;
    this.session.samples = first + samples;
    this.tick();
    const kept = (stored) => this.#kept(seq + from.seq - this.#from.seq, stored);
    this.#writes = this.store.put({ ...this.session }, seq, bytesOf(buffer)).then(
      () => kept(true),
      (error) => {
        this.on('kept', { error });
        kept(false);
      },
    );
    this.on('progress', { made: this.session.made, durable: this.durable });
    return this.#writes;
  }

  /** Say something; what cannot be said now is said after the next greeting. */
  say(message) {
    if (this.#greeted) this.#send(message);
    else if (message.t !== 'undo' && message.t !== 'redo') this.#waiting.push(message);
  }

  /** Set a marker: it is kept here, and said at each greeting, until the server has it. @param {number} at ms */
  mark(at) {
    this.session.marks.push(at);
    if (this.#greeted) this.#send({ t: 'mark', at_ms: at });
    return this.#save();
  }

  #marked(at) {
    const { marks } = this.session;
    if (!marks.includes(at)) return;
    this.session.marks = marks.filter((one) => one !== at);
    this.#save();
    this.#settle();
  }

  #save() {
    return this.store.save({ ...this.session }).catch((error) => this.on('kept', { error }));
  }

  /** Every frame the server does not have, in order: what is kept, and what is only in memory. @returns {Promise<Uint8Array[]>} */
  async unsent() {
    const kept = await framesOf(this.store, this.session.sid);
    const frames = new Map(kept.map((frame) => [readHeader(frame).seq, frame]));
    for (const [seq, buffer] of this.#held) frames.set(seq, bytesOf(buffer));
    return [...frames].filter(([seq]) => seq >= this.durable).sort(([a], [b]) => a - b).map(([, frame]) => frame);
  }

  pause() {
    this.paused = true;
    if (this.#greeted) this.#send({ t: 'pause' });
  }

  resume() {
    this.paused = false;
    if (this.#greeted) this.#send({ t: 'continue' });
  }

  /** No more frames will come: once all are safe the server may end the session. */
  async finish() {
    this.session.finishing = true;
    await this.#writes;
    await this.#save();
    this.#pump();
  }

  /** Ping, and notice a dead peer. Frames drive it too: timers of a hidden page are slowed, its sound is not. */
  tick() {
    const now = this.clock.now();
    if (this.#socket === null) return;
    if (now - this.#heard > DEAD_MS) {
      this.#lost(1006);
    } else if (this.#greeted && now - this.#pinged >= PING_MS) {
      this.#pinged = now;
      this.#send({ t: 'ping' });
    }
    if (this.#greeted) this.#pump();
  }

  #watch() {
    this.#stopWatch = this.clock.after(1000, () => {
      this.tick();
      this.#watch();
    });
  }

  #connect() {
    this.#stopTimer();
    const socket = this.connect(this.session.sid);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#heard = this.clock.now();
    socket.onmessage = ({ data }) => this.#socket === socket && this.#read(data);
    socket.onclose = ({ code }) => this.#socket === socket && this.#lost(code);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#greeted = false;
    this.#finishSent = false;
    this.#batch = [];
    this.#judging = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  #lost(code) {
    const was = this.#greeted;
    this.#drop();
    if (was) this.on('line', { up: false });
    if (REFUSED.has(code)) {
      this.#closed = true;
      if (code === TAKEN_OVER && this.intent === 'record' && this.session.made > 0) {
        this.session.taken = true;
        this.#save();
      }
      this.on('refused', { code });
      return;
    }
    this.#stopTimer = this.clock.after(backOff(this.#tries++, this.clock.random()), () => this.#connect());
  }

  #read(text) {
    this.#heard = this.clock.now();
    const message = JSON.parse(text);
    if (message.t === 'walls') return void this.#answered(message);
    if (this.#judging) return void this.#judging.push(text);
    if (message.t === 'resume') return void this.#resumed(message);
    if (message.t === 'ack') this.#confirm(message.next);
    else if (message.t === 'html') this.revision = message.rev;
    else if (message.t === 'marked') this.#marked(message.at_ms);
    if (message.t === 'ended') this.close();
    if (message.t !== 'pong') this.on('message', message);
    else this.tick(); // the server speaks to a page from which nothing comes: timers of a hidden page may sleep
  }

  /** Nothing is let go before it is clear whose the server's frames are; what it says meanwhile waits. */
  async #resumed(message) {
    const socket = this.#socket;
    let another = this.#knows(message);
    if (another !== false) {
      const waiting = (this.#judging = []);
      another ??= await this.#finds(message);
      if (another && message.wall !== undefined) another = await this.#lacks(message);
      const isInHand = another && (await this.#isInHand());
      if (this.#socket !== socket) return;
      if (another && !isInHand) return this.#part();
      this.#judging = null;
      queueMicrotask(() => this.#socket === socket && waiting.forEach((text) => this.#read(text)));
      if (isInHand) this.#letGo(message.next);
    }
    this.#greet(message);
    this.on('message', message);
  }

  /** @returns {boolean | null} whether another device went on; null where only the store can tell */
  #knows({ next, wall }) {
    if (next <= this.durable || this.session.made === 0) return false;
    const held = this.#held.get(next - 1);
    if (held) return isAnothers(held, wall);
    return next > this.session.made && this.#heldUnsent().length > 0 ? true : null;
  }

  #heldUnsent() {
    return [...this.#held.keys()].filter((seq) => seq >= this.durable);
  }

  async #finds({ next, wall }) {
    const [kept] = await this.store.read(this.session.sid, this.durable).catch(() => []);
    if (!kept) return false;
    if (next > this.session.made) return true;
    const [same] = await this.store.read(this.session.sid, next - 1).catch(() => []);
    return same !== undefined && readHeader(same).seq === next - 1 && isAnothers(same, wall);
  }

  /**
   * What was sent before the line went may be on the server, though this page was never told: the clocks of the server's
   * frames tell which of them are those here.
   * @returns {Promise<boolean>} whether there are frames here that the server lacks
   */
  async #lacks({ next }) {
    const { seq } = await this.#firstUnsent();
    const { walls } = await new Promise((resolve) => {
      this.#answered = resolve;
      this.#send({ t: 'whose', from: seq });
    });
    const kept = await this.store.read(this.session.sid, seq).catch(() => []);
    const own = new Map([...kept, ...this.#held.values()].map(readHeader).map((header) => [header.seq, header.wall]));
    const same = walls.findIndex((wall, i) => own.get(seq + i) !== wall);
    this.#acknowledged(Math.min(next, seq + (same < 0 ? walls.length : same)));
    return (await this.#firstUnsent()) !== undefined;
  }

  /** Another device took over, and this page fell silent at once: what it said until it was told is no recording. */
  async #isInHand() {
    return this.session.taken === true && this.session.made - (await this.#firstUnsent()).seq <= MOST_IN_HAND;
  }

  #letGo(next) {
    this.#acknowledged(this.session.made);
    this.durable = this.session.made = this.#stored = next;
    this.letGo = true;
  }

  #greet({ next, wall }) {
    this.session.taken = false;
    this.#confirms = wall !== undefined;
    this.#acknowledged(next);
    this.#wanted = next;
    this.#batch = [];
    if (next > this.session.made) {
      // Another device went on with this session: its frames count as made.
      this.session.made = this.#stored = next;
    }
    if (this.#greeted) return this.#pump();
    return this.#open();
  }

  /** What is not safe becomes a session of its own, from its first frame on. */
  async #part() {
    const socket = this.#socket;
    const { seq, first, wall } = await this.#firstUnsent();
    if (this.#socket !== socket) return;
    const [was, from, at] = [this.#greeted, { seq, first }, first / SAMPLES_PER_MS];
    const { store, session } = this;
    const former = session.sid;
    for (const mark of session.marks) if (mark < at) this.#send({ t: 'mark', at_ms: mark }); // that part is on the server
    this.#drop();
    this.#parting = true;
    if (was) this.on('line', { up: false });
    for (const [number, buffer] of [...this.#held]) {
      this.#held.delete(number);
      if (number < seq) {
        this.on('recycle', buffer);
      } else {
        renumber(buffer, from);
        this.#held.set(number - seq, buffer);
      }
    }
    Object.assign(session, {
      sid: uuid7(this.clock.wall(), crypto.getRandomValues(new Uint8Array(10))),
      taken: false,
      title: meanwhile(session.title),
      started: wall,
      made: session.made - seq,
      samples: session.samples - first,
      marks: session.marks.filter((mark) => mark >= at).map((mark) => Math.round(mark - at)),
    });
    this.#from = { seq: this.#from.seq + seq, first: this.#from.first + first };
    this.#stored = Math.max(0, this.#stored - seq);
    this.durable = this.#wanted = 0;
    this.revision = -1;
    this.#waiting = [];
    const moved = store.part(former, { ...session }, from);
    this.on('parted', { from: former });
    this.on('progress', { made: session.made, durable: 0 });
    await moved.catch((error) => this.on('kept', { error }));
    this.#parting = false;
    if (!this.#closed) this.#connect();
  }

  /** @returns {Promise<{seq: number, first: number, wall: number} | undefined>} */
  async #firstUnsent() {
    const [kept] = await this.store.read(this.session.sid, this.durable).catch(() => []);
    const unsent = this.#heldUnsent().map((seq) => readHeader(this.#held.get(seq)));
    if (kept) unsent.push(readHeader(kept));
    return unsent.sort((a, b) => a.seq - b.seq)[0];
  }

  #open() {
    this.#greeted = true;
    this.#tries = 0;
    this.#pinged = this.clock.now();
    this.#send(this.#opening());
    if (this.paused) this.#send({ t: 'pause' });
    for (const at of this.session.marks) this.#send({ t: 'mark', at_ms: at });
    for (const message of this.#waiting.splice(0)) this.#send(message);
    this.on('line', { up: true });
    this.#settle();
    return this.#pump();
  }

  #opening() {
    const { provider, language, title, started, rate } = this.session;
    return { t: 'open', provider, language, title, started, rate, rev: this.revision, intent: this.intent };
  }

  #kept(seq, stored) {
    this.#stored = Math.max(this.#stored, seq + 1);
    if (seq < this.durable) this.#release(seq);
    else if (stored && this.#held.size > MOST_HELD) this.#release(seq);
    this.#pump();
  }

  #release(seq) {
    const buffer = this.#held.get(seq);
    if (!buffer) return;
    this.#held.delete(seq);
    this.on('recycle', buffer);
  }

  #confirm(next) {
    this.#acknowledged(next);
    this.#settle();
  }

  #acknowledged(next) {
    if (next <= this.durable) return;
    for (let seq = this.durable; seq < Math.min(next, this.#stored); seq++) this.#release(seq);
    this.durable = next;
    this.store.drop(this.session.sid, next).catch((error) => this.on('kept', { error }));
    this.on('progress', { made: this.session.made, durable: next });
  }

  #settle() {
    const isMarked = !this.#confirms || this.session.marks.length === 0;
    if (this.#greeted && isMarked && this.durable >= this.session.made) this.on('drained');
  }

  async #pump() {
    while (this.#greeted && this.#wanted < this.#stored) {
      if (this.#socket.bufferedAmount > MOST_BUFFERED) return;
      const bytes = this.#next();
      if (bytes) {
        this.#socket.send(bytes);
        this.#wanted++;
      } else if (this.#loading || !(await this.#load())) {
        return;
      }
    }
    if (this.#greeted && this.session.finishing && !this.#finishSent && this.#wanted >= this.session.made) {
      this.#finishSent = true;
      this.#send({ t: 'finish', next: this.session.made });
    }
  }

  #next() {
    const held = this.#held.get(this.#wanted);
    if (held) return bytesOf(held);
    while (this.#batch.length > 0 && readHeader(this.#batch[0]).seq < this.#wanted) this.#batch.shift();
    return this.#batch.length > 0 && readHeader(this.#batch[0]).seq === this.#wanted ? this.#batch.shift() : null;
  }

  /** Fetch what is kept here from the wanted frame on. @returns {Promise<boolean>} whether sending can go on */
  async #load() {
    this.#loading = true;
    const wanted = this.#wanted;
    const { sid } = this.session;
    try {
      this.#batch = await this.store.read(sid, wanted);
    } catch (error) {
      this.on('kept', { error });
    } finally {
      this.#loading = false;
    }
    if (this.#wanted !== wanted || this.session.sid !== sid) return true;
    const found = this.#batch.length > 0 && readHeader(this.#batch[0]).seq === wanted;
    if (!found) this.on('hole', { wanted });
    return found;
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }
}
