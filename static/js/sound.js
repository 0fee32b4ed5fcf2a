// @ts-check
/** What can be done to a recording's sound. Seconds. */

const RATES = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3];
const REMEMBERED = 'memweb.rate';

/** 13 minutes 17 seconds. @param {number} seconds */
export function spoken(seconds) {
  const whole = Math.floor(seconds);
  /** @type {[number, string][]} */
  const parts = [[Math.floor(whole / 3600), 'hour'], [Math.floor(whole / 60) % 60, 'minute'], [whole % 60, 'second']];
  const said = parts.filter(([count]) => count).map(([count, unit]) => `${count} ${unit}${count === 1 ? '' : 's'}`);
  return said.join(' ') || '0 seconds';
}

/** Seconds of a fragment such as #t=767 or #t=12:47, or null. @param {string} hash */
export function asked(hash) {
  const found = /^#t=((?:\d+:){0,2}\d+(?:\.\d+)?)$/.exec(hash);
  return found && found[1].split(':').reduce((total, part) => total * 60 + Number(part), 0);
}

/** The next speed up or down. @param {number} rate @param {number} step */
export function otherRate(rate, step) {
  const at = RATES.indexOf(rate);
  return RATES[Math.min(Math.max((at < 0 ? RATES.indexOf(1) : at) + step, 0), RATES.length - 1)];
}

export class Sound {
  /** @param {HTMLAudioElement} audio @param {number} length as the server knows it, until the file has told */
  constructor(audio, length) {
    this.audio = audio;
    this.known = length;
    try {
      this.rate = Number(localStorage.getItem(REMEMBERED)) || 1;
    } catch {
      // A browser that keeps nothing: every record starts at speed one.
    }
  }

  get now() {
    return this.audio.currentTime;
  }

  get length() {
    return Number.isFinite(this.audio.duration) ? this.audio.duration : this.known;
  }

  get paused() {
    return this.audio.paused || this.audio.ended;
  }

  get rate() {
    return this.audio.playbackRate;
  }

  set rate(rate) {
    this.audio.defaultPlaybackRate = rate;
    this.audio.playbackRate = rate;
    try {
      localStorage.setItem(REMEMBERED, String(rate));
    } catch {
      // It holds for this visit.
    }
  }

  play() {
    this.audio.play().catch(() => {}); // refused without a person's act: the button stays at Play
  }

  toggle() {
    if (this.paused) this.play();
    else this.audio.pause();
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.audio.currentTime = Math.min(Math.max(seconds, 0), this.length);
  }
}
