/**
 * One recording's way to the server: a frame is kept here first, then sent, and let go once the server has it on disk.
 *
 * The server speaks first on each connection: `resume` names the frame it wants next, and everything below is safe.
 * The rules of the wire stand in memweb/speech/frames.py. Knows no page: it reports through `on(kind, data)`:
 *   line      {up}             the connection came or went
 *   progress  {made, durable}  frames made here; frames safe on the server
 *   message   the server's own message: resume, ack, state, partial, html, error, ended
 *   recycle   a frame's buffer nobody needs any more
 *   kept      {error}          a frame could not be kept in this browser (it is still sent)
 *   hole      {wanted}         the server asks for a frame that is gone
 *   refused   {code}           the server will not have this page: no more tries by itself
 *   drained   everything made so far is safe
 */

import { bytesOf, readHeader } from './frames.js';

export const PING_MS = 5000;
export const DEAD_MS = 10000;
export const MOST_BUFFERED = 1 << 20;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 4000;
const MOST_HELD = 3000;
const REFUSED = new Set([4401, 4403, 4404, 4409, 4413]);

/** How long to wait before try number `tries` (from 0): full jitter, so that pages do not return all at once. */
export function backOff(tries, random) {
  return random * Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(tries, 10));
}

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

  /**
   * @param {object} session as store.js describes it
   * @param {object} parts
   * @param {object} parts.store
   * @param {() => WebSocket} parts.connect
   * @param {{now: () => number, random: () => number, after: (ms: number, call: () => void) => () => void}} parts.clock
   * @param {(kind: string, data?: object) => void} parts.on
   * @param {'record' | 'upload'} parts.intent
   */
  constructor(session, { store, connect, clock, on, intent = 'record' }) {
    Object.assign(this, { session, store, connect, clock, on, intent });
    this.durable = 0;
    this.revision = -1;
    this.paused = false;
    this.#stored = session.made;
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
    if (this.#socket !== null) return;
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
    const { seq, samples, first } = readHeader(buffer);
    this.#held.set(seq, buffer);
    this.session.made = seq + 1;
    this.session.samples = first + samples;
    this.tick();
    this.#writes = this.store.put({ ...this.session }, seq, bytesOf(buffer)).then(
      () => this.#kept(seq, true),
      (error) => {
        this.on('kept', { error });
        this.#kept(seq, false);
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
    await this.store.save({ ...this.session }).catch((error) => this.on('kept', { error }));
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
    const socket = this.connect();
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
      this.on('refused', { code });
      return;
    }
    this.#stopTimer = this.clock.after(backOff(this.#tries++, this.clock.random()), () => this.#connect());
  }

  #read(text) {
    this.#heard = this.clock.now();
    const message = JSON.parse(text);
    if (message.t === 'resume') this.#greet(message);
    else if (message.t === 'ack') this.#confirm(message.next);
    else if (message.t === 'html') this.revision = message.rev;
    if (message.t === 'ended') this.close();
    if (message.t !== 'pong') this.on('message', message);
  }

  #greet({ next }) {
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

  #open() {
    this.#greeted = true;
    this.#tries = 0;
    this.#pinged = this.clock.now();
    this.#send(this.#opening());
    if (this.paused) this.#send({ t: 'pause' });
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
    if (this.#greeted && this.durable >= this.session.made) this.on('drained');
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
    try {
      this.#batch = await this.store.read(this.session.sid, wanted);
    } catch (error) {
      this.on('kept', { error });
    } finally {
      this.#loading = false;
    }
    if (this.#wanted !== wanted) return true;
    const found = this.#batch.length > 0 && readHeader(this.#batch[0]).seq === wanted;
    if (!found) this.on('hole', { wanted });
    return found;
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }
}
