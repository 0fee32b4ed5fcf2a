/** Small doings on the person's device. */

let lock = null;
let wanted = false;

async function hold() {
  if (!wanted || lock || document.hidden || !navigator.wakeLock) return;
  lock = 'asked';
  try {
    lock = await navigator.wakeLock.request('screen');
    lock.addEventListener('release', () => (lock = null));
    if (!wanted) lock.release();
  } catch {
    lock = null; // A low battery may refuse; recording does not depend on it.
  }
}

/** Keep the screen on while recording. The system lets go of it whenever the page is hidden. */
export function keepAwake(on) {
  if (on === wanted) return;
  wanted = on;
  if (on) hold();
  else lock?.release?.();
}

document.addEventListener('visibilitychange', hold);

/** Offer a file to be saved. @param {Blob} blob @param {string} name */
export function saveAs(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement('a'), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
