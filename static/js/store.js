/**
 * What this browser keeps until the server has it: IndexedDB `frames[sid, seq]` and `sessions[sid]`.
 *
 * A session: {sid, person, title, language, provider, started, rate, made, samples, finishing, marks, taken, parting}. `made`
 * frames holding `samples` samples exist or existed; `finishing` is set once the person asked to finish; `marks` are the
 * markers (ms) the server has not confirmed. `person` is whose it is, as the page was told: who else signs in here has
 * no part in it. `taken`: another device took it over from here. `parting` says of a session which one its frames are being moved to, and from which on.
 */

import { readHeader, renumber } from './frames.js';

const BATCH = 500;

const settled = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const committed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });

const range = (sid, from, to) => IDBKeyRange.bound([sid, from], [sid, to], false, true);

/** Every method rejects, and none throws, once the browser has closed the database. */
export class Store {
  #database;

  constructor(database) {
    this.#database = database;
  }

  /** @returns {Promise<Store>} rejects where the browser keeps nothing (some private windows) */
  static async open(name = 'memweb') {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore('frames');
      request.result.createObjectStore('sessions', { keyPath: 'sid' });
    };
    return new Store(await settled(request));
  }

  #write(names) {
    // Relaxed survives the death of the browser; strict would only add a power cut.
    return this.#database.transaction(names, 'readwrite', { durability: 'relaxed' });
  }

  /** Keep one frame, and the session as it is with that frame. Resolves once kept. */
  async put(session, seq, bytes) {
    const transaction = this.#write(['frames', 'sessions']);
    transaction.objectStore('frames').put(bytes.slice(), [session.sid, seq]);
    transaction.objectStore('sessions').put(session);
    return committed(transaction);
  }

  /** Let go of the frames below `next`: the server has them. */
  async drop(sid, next) {
    const transaction = this.#write('frames');
    transaction.objectStore('frames').delete(range(sid, 0, next));
    return committed(transaction);
  }

  /** At most 500 frames from number `from` on, in order. @returns {Promise<Uint8Array[]>} */
  async read(sid, from) {
    const frames = this.#database.transaction('frames').objectStore('frames');
    return settled(frames.getAll(range(sid, from, Infinity), BATCH));
  }

  /** Every frame of a session, batch by batch. */
  async *all(sid, numberOf) {
    for (let from = 0; ; ) {
      const batch = await this.read(sid, from);
      yield* batch;
      if (batch.length < BATCH) return;
      from = numberOf(batch.at(-1)) + 1;
    }
  }

  async count(sid) {
    return settled(this.#database.transaction('frames').objectStore('frames').count(range(sid, 0, Infinity)));
  }

  async session(sid) {
    return settled(this.#database.transaction('sessions').objectStore('sessions').get(sid));
  }

  async sessions() {
    return settled(this.#database.transaction('sessions').objectStore('sessions').getAll());
  }

  async save(session) {
    const transaction = this.#write('sessions');
    transaction.objectStore('sessions').put(session);
    return committed(transaction);
  }

  /**
   * Make the frames of a session from number `from.seq` on another session, numbered from 0; the first is forgotten.
   * @param {string} sid @param {object} to the new session @param {{seq: number, first: number}} from
   */
  async part(sid, to, from) {
    const transaction = this.#write('sessions');
    const sessions = transaction.objectStore('sessions');
    sessions.put(to);
    const former = await settled(sessions.get(sid));
    if (former) sessions.put({ ...former, parting: { sid: to.sid, from } });
    await committed(transaction);
    await this.move(sid, to.sid, from);
  }

  /** Move what a parting has left to move: in steps, so that after a crash it goes on where it was. */
  async move(sid, to, from) {
    while (await this.#moveSome(sid, to, from));
    await this.forget(sid);
  }

  /** @returns {Promise<boolean>} whether there were any */
  async #moveSome(sid, to, from) {
    const transaction = this.#write('frames');
    const frames = transaction.objectStore('frames');
    const batch = await settled(frames.getAll(range(sid, from.seq, Infinity), BATCH));
    for (const frame of batch) {
      const seq = readHeader(frame).seq;
      renumber(frame, from);
      frames.put(frame, [to, seq - from.seq]);
      frames.delete([sid, seq]);
    }
    await committed(transaction);
    return batch.length > 0;
  }

  /** Everything of a session goes: it is whole on the server, or the person discarded it. */
  async forget(sid) {
    const transaction = this.#write(['frames', 'sessions']);
    transaction.objectStore('frames').delete(range(sid, 0, Infinity));
    transaction.objectStore('sessions').delete(sid);
    return committed(transaction);
  }
}

/** Where the browser keeps nothing: frames wait in memory only, and `put` says so. */
export class NoStore {
  put() {
    return Promise.reject(new Error('nothing can be kept in this browser'));
  }

  async drop() {}

  async read() {
    return [];
  }

  async *all() {}

  async count() {
    return 0;
  }

  async session() {}

  async sessions() {
    return [];
  }

  async save() {}

  async part() {}

  async move() {}

  async forget() {}
}
