/** What earlier visits left behind goes up by itself. */

import { clock, holdSession, socketOf } from './line.js';
import { Uplink } from './uplink.js';

const FRAME_MS = 100;
/** Not for good: signed in again, or let go of elsewhere, the next visit hands it over. */
const FOR_NOW = new Set([4401, 4409]);
const OLDEST_MS = 30 * 24 * 3600 * 1000;

export class Recovery {
  #running = new Map();

  /**
   * @param {object} store
   * @param {string} person whose sessions are handed over. One that was kept before sessions had a person goes as before.
   * @param {{recovered: (ms: number, url: string, parted: boolean) => void, stuck: (sid: string, ms: number) => void}} on
   */
  constructor(store, person, on) {
    Object.assign(this, { store, person, on });
  }

  /** Hand over what is still here. Sessions that another tab holds are its own affair. */
  async run() {
    for (const { sid, parting } of await this.#own()) if (parting) await this.#endParting(sid, parting);
    for (const session of await this.#own()) {
      const frames = await this.store.count(session.sid);
      if (frames > 0 || session.finishing || session.marks?.length > 0) this.#hand(session, frames);
      else if (session.started < Date.now() - OLDEST_MS) await this.store.forget(session.sid);
    }
  }

  async #own() {
    return (await this.store.sessions()).filter(({ person = this.person }) => person === this.person);
  }

  /** The browser ended while frames were moved from one session to another. */
  async #endParting(sid, { sid: to, from }) {
    const release = await holdSession(sid);
    if (release) await this.store.move(sid, to, from).finally(release);
  }

  /** Resolves once nothing of that session is being handed over. */
  async settled(sid) {
    await this.#running.get(sid);
  }

  #hand(session, frames) {
    const { sid } = session;
    const done = this.#carry(session).then((url) => {
      if (url !== null && frames > 0) this.on.recovered(frames * FRAME_MS, url, session.sid !== sid);
    });
    this.#running.set(sid, done);
    return done;
  }

  /** @returns {Promise<string | null>} the record's address once finished, '' when only handed over, null when not */
  async #carry(session) {
    const releases = [await holdSession(session.sid)];
    if (!releases[0]) return null;
    try {
      const url = await this.#upload(session, releases);
      if (url) await this.store.forget(session.sid);
      return url;
    } finally {
      for (const release of releases) release?.();
    }
  }

  #upload(session, releases) {
    return new Promise((resolve) => {
      const on = (kind, data) => {
        if (kind === 'message' && data.t === 'ended') end(uplink.durable < session.made ? '' : data.url);
        else if (kind === 'hole' || (kind === 'refused' && !FOR_NOW.has(data.code))) stuck();
        else if (kind === 'refused') end(null);
        else if (kind === 'drained' && !session.finishing) end('');
        else if (kind === 'parted') holdSession(session.sid).then((release) => releases.push(release));
      };
      const uplink = new Uplink(session, { store: this.store, clock, on, connect: socketOf, intent: 'upload' });
      const again = () => uplink.retry();
      const end = (url) => {
        removeEventListener('online', again);
        uplink.close();
        resolve(uplink.letGo ? url || null : url);
      };
      const stuck = async () => {
        end(null);
        const frames = await this.store.count(session.sid);
        if (frames > 0) this.on.stuck(session.sid, frames * FRAME_MS);
      };
      addEventListener('online', again);
      uplink.start();
    });
  }
}
