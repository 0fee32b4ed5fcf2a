/**
 * What this browser keeps until the server has it: IndexedDB `frames[sid, seq]` and `sessions[sid]`.
 *
 * A session: {sid, title, language, provider, started, rate, made, samples, finishing}. `made` frames holding
 * `samples` samples exist or existed; `finishing` is set once the person asked to finish.
 */

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

  async forget() {}
}
