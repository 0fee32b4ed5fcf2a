// @ts-check
/** How an upload stands, in numbers and in words. Pure. */

const SMOOTHING = 0.25;

/** A speed that does not jump: each second's bytes count a quarter. */
export class Speed {
  #bytes = 0;
  #at = 0;

  /** @type {number} bytes a second; 0 until it is known */
  perSecond = 0;

  /** So much is there now; a new start begins to measure anew. @param {number} bytes @param {number} now in ms */
  at(bytes, now) {
    if (!this.#at || bytes < this.#bytes) this.restart(bytes, now);
    const ms = now - this.#at;
    if (ms < 250) return;
    const measured = ((bytes - this.#bytes) * 1000) / ms;
    this.perSecond = this.perSecond ? this.perSecond + SMOOTHING * (measured - this.perSecond) : measured;
    this.#bytes = bytes;
    this.#at = now;
  }

  /** @param {number} bytes @param {number} now */
  restart(bytes, now) {
    this.#bytes = bytes;
    this.#at = now;
    this.perSecond = 0;
  }

  /** Seconds for so many more bytes, or null. @param {number} bytes */
  left(bytes) {
    return this.perSecond > 0 ? bytes / this.perSecond : null;
  }
}

/** 31 kB, 3.4 MB, 412 MB, 1.2 GB, 4 GB: as `wording.megabytes`. @param {number} bytes */
export function size(bytes) {
  if (bytes < 999_500) return `${Math.max(1, Math.round(bytes / 1e3))} kB`;
  if (bytes >= 99_950_000 && bytes < 999_500_000) return `${Math.round(bytes / 1e6)} MB`;
  const [number, unit] = bytes < 99_950_000 ? [bytes / 1e6, 'MB'] : [bytes / 1e9, 'GB'];
  return `${number.toFixed(1).replace(/\.0$/, '')} ${unit}`;
}

/** 1 min left. @param {number | null} seconds */
export function left(seconds) {
  if (seconds === null || !Number.isFinite(seconds)) return '';
  if (seconds >= 5400) return `${Math.round(seconds / 3600)} h left`;
  return seconds >= 55 ? `${Math.round(seconds / 60)} min left` : `${Math.max(1, Math.round(seconds / 5) * 5)} s left`;
}

/** What so much sound costs, as the server says it; nothing where there is no price. @param {number} seconds @param {number} rate dollars an hour */
export function price(seconds, rate) {
  const dollars = (seconds * rate) / 3600;
  if (!rate || !Number.isFinite(dollars)) return '';
  return dollars >= 0.01 ? `about $${dollars.toFixed(2)}` : 'less than $0.01';
}

/** Whole per cents, 100 only when all is there. @param {number} sent @param {number} whole */
export function percent(sent, whole) {
  return whole ? Math.min(Math.floor((sent * 100) / whole), 100) : 100;
}

/** What a file's row says. @param {string} state @param {number} done in per cent */
export function words(state, done) {
  switch (state) {
    case 'uploading': return `Uploading ${done} %`;
    case 'paused': return `Paused at ${done} %`;
    case 'away': return `Connection lost at ${done} %`;
    case 'failed': return 'Not uploaded';
    case 'done': return 'Uploaded';
    default: return 'Waiting for its turn';
  }
}

/** How many there are get where, in a line. @param {string[]} states of each */
export function sum(states) {
  const refused = states.filter((state) => state === 'failed').length;
  const done = states.filter((state) => state === 'done').length;
  return `${done} of ${states.length} uploaded${refused ? `, ${refused} not taken` : ''}`;
}

/** The same file when it is dropped again. @param {{name: string, size: number, lastModified: number}} file */
export function fingerprint(file) {
  return `${file.name}|${file.size}|${file.lastModified}`.slice(-200);
}

const RECORDING = /\.(wav|mp[23]|m4a|m4b|aac|flac|og[gavx]|opus|webm|mp4|m4v|mov|mkv|mka|avi|wma|wmv|asf|flv|aif[fc]?|amr|mpe?g|vob|m?ts|m2ts?|caf|au|3g[p2]|e?ac3|wv|w64)$/i;
const TRANSCRIPT = /\.(srt|vtt|json|txt)$/i;

/** A file that the system put there, and nobody would miss. @param {{name: string}} file */
export const isHidden = (file) => file.name.startsWith('.');

/** Whether a file found in a folder is worth sending; one that was chosen is always sent. @param {{name: string, type: string}} file */
export function isReadable(file) {
  return !isHidden(file) && (/^(audio|video)\//.test(file.type) || RECORDING.test(file.name) || TRANSCRIPT.test(file.name));
}
