/** What earlier visits left behind: frames go up by themselves, and an unfinished session can be finished from here. */

import { holdSession, socketOf } from './recorder.js';
import { Uplink } from './uplink.js';

const FRAME_MS = 100;
const OLDEST_MS = 30 * 24 * 3600 * 1000;

const clock = {
  now: () => performance.now(),
  random: Math.random,
  after(ms, call) {
    const id = setTimeout(call, ms);
    return () => clearTimeout(id);
  },
};

export class Recovery {
  #running = new Map();

  /** @param {object} store @param {{recovered: (sid: string, ms: number) => void, waits: (sid: string, ms: number) => void}} on */
  constructor(store, on) {
    Object.assign(this, { store, on });
  }

  /** Hand over what is still here. Sessions that another tab holds are its own affair. */
  async run() {
    for (const session of await this.store.sessions()) {
      const frames = await this.store.count(session.sid);
      if (frames > 0 || session.finishing) this.#hand(session, frames);
      else if (session.started < Date.now() - OLDEST_MS) await this.store.forget(session.sid);
    }
  }

  /** Resolves once nothing of that session is being handed over. */
  async settled(sid) {
    await this.#running.get(sid);
  }

  /** Finish a session that the server holds. @returns {Promise<string>} the address of its record */
  async finish(sid) {
    await this.settled(sid);
    const known = await this.store.session(sid);
    const session = { started: Date.now(), made: 0, samples: 0, title: '', language: '', provider: '', rate: 0, ...known };
    return this.#carry({ ...session, sid, finishing: true });
  }

  #hand(session, frames) {
    const done = this.#carry(session).then((url) => {
      if (url !== null && frames > 0) this.on.recovered(session.sid, frames * FRAME_MS, url);
    });
    this.#running.set(session.sid, done);
    if (frames > 0) this.on.waits(session.sid, frames * FRAME_MS);
    return done;
  }

  /** @returns {Promise<string | null>} the record's address once finished, '' when only handed over, null when refused */
  async #carry(session) {
    const release = await holdSession(session.sid);
    if (!release) return null;
    try {
      const url = await this.#upload(session);
      if (url) await this.store.forget(session.sid);
      return url;
    } finally {
      release();
    }
  }

  #upload(session) {
    return new Promise((resolve) => {
      const on = (kind, data) => {
        if (kind === 'message' && data.t === 'ended') end(data.url);
        else if (kind === 'refused' || kind === 'hole') end(null);
        else if (kind === 'drained' && !session.finishing) end('');
      };
      const uplink = new Uplink(session, {
        store: this.store, clock, on, connect: () => socketOf(session.sid), intent: 'upload',
      });
      const again = () => uplink.retry();
      const end = (url) => {
        removeEventListener('online', again);
        uplink.close();
        resolve(url);
      };
      addEventListener('online', again);
      uplink.start();
    });
  }
}
