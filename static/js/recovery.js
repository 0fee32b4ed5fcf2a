/** What earlier visits left behind goes up by itself. */

import { clock, holdSession, socketOf } from './line.js';
import { Uplink } from './uplink.js';

const FRAME_MS = 100;
const OLDEST_MS = 30 * 24 * 3600 * 1000;

export class Recovery {
  #running = new Map();

  /** @param {object} store @param {{recovered: (ms: number, url: string) => void}} on */
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

  #hand(session, frames) {
    const done = this.#carry(session).then((url) => {
      if (url !== null && frames > 0) this.on.recovered(frames * FRAME_MS, url);
    });
    this.#running.set(session.sid, done);
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
        if (kind === 'message' && data.t === 'ended') end(uplink.durable < session.made ? '' : data.url);
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
