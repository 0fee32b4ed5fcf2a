/** What ties a session to this browser: its socket, its clock, and the lock that keeps other tabs away. */

/** The clock of the page, as uplink.js wants it. */
export const clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  random: Math.random,
  after(ms, call) {
    const id = setTimeout(call, ms);
    return () => clearTimeout(id);
  },
};

/** The page socket of a session. @param {string} sid */
export const socketOf = (sid) => new WebSocket(`${location.origin.replace(/^http/, 'ws')}/ws/dictation/${sid}/`);

const LOCK = 'memweb.session.';
const own = new Set();

/** Hold a session for this tab. @returns {Promise<(() => void) | null>} what lets go of it; null when another tab has it */
export function holdSession(sid) {
  if (!navigator.locks) return Promise.resolve(() => {});
  return new Promise((resolve) => {
    const asked = navigator.locks.request(LOCK + sid, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null);
      own.add(sid);
      return new Promise((release) => resolve(release));
    });
    asked.finally(() => own.delete(sid)); // a lock is listed for a moment after it was let go of
  });
}

/** @returns {Promise<string[]>} the sessions that other tabs hold */
export async function heldElsewhere() {
  const { held = [] } = (await navigator.locks?.query()) ?? {};
  const sids = held.filter(({ name }) => name.startsWith(LOCK)).map(({ name }) => name.slice(LOCK.length));
  return sids.filter((sid) => !own.has(sid));
}
