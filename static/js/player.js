// @ts-check
/** The player of a record: sound, position and text in one step. */
import { Choices } from './choices.js';
import { endOf, startOf } from './paragraphs.js';
import './reading.js';
import { focusOf } from './shortcuts.js';
import { Sound, asked, otherRate, spoken } from './sound.js';
import { Waveform } from './waveform.js';
import { clock } from './words.js';

const BACK = 5;
const AGAIN = 15;
const FAR = 30;
const CHANGES = ['play', 'pause', 'seeking', 'durationchange', 'ratechange', 'ended'];
const SCROLLING = new Set(['PageUp', 'PageDown', 'ArrowUp', 'ArrowDown']);

/** Clock, waveform and slider: where the sound is. Seconds. */
class Dial {
  #said = '';

  /** @param {HTMLElement} root @param {Sound} sound */
  constructor(root, sound) {
    this.find = (/** @type {string} */ what) => /** @type {HTMLElement} */ (root.querySelector(what));
    this.root = root;
    this.sound = sound;
    this.scrub = this.find('.scrub');
    this.wave = new Waveform(/** @type {HTMLCanvasElement} */ (this.find('canvas')));
    this.wave.load(root.dataset.peaks ?? '', root.dataset.voices ?? '');
  }

  /** @param {boolean} loops whether it plays the same paragraph again and again */
  show(loops) {
    const { now, length, paused, rate } = this.sound;
    const share = length ? Math.min(now / length, 1) : 0;
    this.wave.played = share;
    this.find('.head').style.left = `${share * 100}%`;
    const said = [Math.floor(now), length, paused, rate, loops].join();
    if (said !== this.#said) this.#say(loops);
    this.#said = said;
  }

  /** What changes at most once a second: every change is read out by somebody. @param {boolean} loops */
  #say(loops) {
    const { now, length, paused, rate } = this.sound;
    this.scrub.ariaValueMax = String(Math.floor(length));
    this.scrub.ariaValueNow = String(Math.floor(now));
    this.scrub.ariaValueText = spoken(now);
    this.find('[data-now]').textContent = clock(now * 1000);
    this.find('[data-length]').textContent = clock(length * 1000);
    this.find('[data-do=play]').ariaLabel = paused ? 'Play' : 'Pause';
    this.root.toggleAttribute('data-playing', !paused);
    this.find('[data-do=loop]')?.setAttribute('aria-pressed', String(loops)); // two versions side by side have none
    this.find('[data-do=rate]').textContent = `${rate}×`;
    this.find('[data-do=rate]').ariaLabel = `Speed ${rate} times`;
  }

  /** The time under a pointer. @param {PointerEvent} event */
  under(event) {
    const { left, width } = this.scrub.getBoundingClientRect();
    return ((event.clientX - left) / width) * this.sound.length;
  }
}

/** What hands do to the player: buttons, keys, the slider, clicks in the text, scrolling. */
class Hands {
  /** @param {Player} player */
  constructor(player) {
    this.player = player;
    this.singleKeys = new Choices({ singleKeys: document.body.dataset.singleKeys }).all.singleKeys;
  }

  /** @param {HTMLElement} text @param {AddEventListenerOptions} until */
  listen(text, until) {
    for (const name of ['wheel', 'touchmove']) addEventListener(name, () => this.player.wander(), { ...until, passive: true });
    for (const name of ['pointerdown', 'pointermove']) this.player.dial.scrub.addEventListener(name, this.#drag, until);
    this.player.addEventListener('click', this.#press, until);
    document.addEventListener('keydown', this.#key, until);
    document.addEventListener('click', this.#go, until);
    text.addEventListener('click', this.#read, until);
  }

  /**
   * A time plays from there, wherever on the page it is. A link to a moment goes there also where the address has it
   * already, and with it no change.
   * @param {MouseEvent} event
   */
  #go = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const time = /** @type {HTMLElement | null} */ (target.closest('[data-seek]'));
    const moment = asked(/** @type {HTMLAnchorElement | null} */ (target.closest('a[href^="#t="]'))?.hash ?? '');
    if (time) {
      event.preventDefault();
      this.player.seek(Number(time.dataset.seek) / 1000);
      this.player.sound.play();
    } else if (moment !== null) {
      this.player.seek(moment);
    }
  };

  /** A click on a word moves there. @param {MouseEvent} event */
  #read = (event) => {
    const word = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest('.w, .s'));
    if (word && getSelection()?.isCollapsed) this.player.seek(Number(word.dataset.start) / 1000);
  };

  /** @param {MouseEvent} event */
  #press = (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-do]'));
    if (button) this.player.do(button.dataset.do ?? '');
  };

  /** @param {Event} event */
  #drag = (event) => {
    const { dial } = this.player;
    const pointer = /** @type {PointerEvent} */ (event);
    if (pointer.type === 'pointerdown') dial.scrub.setPointerCapture(pointer.pointerId);
    if (pointer.buttons & 1) this.player.seek(dial.under(pointer));
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const focus = focusOf(document.activeElement);
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || focus.field || focus.dialog) return;
    const slides = document.activeElement === this.player.dial.scrub;
    if (SCROLLING.has(event.key) && !slides) this.player.wander();
    const single = this.singleKeys && !(focus.button && event.key === ' ') ? KEYS[event.key.toLowerCase()] : undefined;
    const does = (slides && SLIDING[event.key]) || single;
    if (!does) return;
    event.preventDefault();
    this.player.do(does);
  };
}

class Player extends HTMLElement {
  #over = new AbortController();
  #drawing = 0;
  /** Seconds between which it plays again and again. @type {[number, number] | null} */ loop = null;

  connectedCallback() {
    const [audio, text] = [this.querySelector('audio'), document.querySelector('mem-text')];
    if (!audio || !text) return;
    this.sound = new Sound(audio, Number(this.querySelector('.scrub')?.ariaValueMax));
    this.reader = text.reader;
    this.dial = new Dial(this, this.sound);
    this.#over = new AbortController();
    const until = { signal: this.#over.signal };
    for (const name of CHANGES) audio.addEventListener(name, this.#step, until);
    document.addEventListener('htmx:load', this.#more, until);
    addEventListener('hashchange', this.#jump, until);
    new Hands(this).listen(text, until);
    this.place = new Place(audio);
    audio.addEventListener('pause', () => this.place.keep(), until);
    addEventListener('pagehide', () => this.place.keep(), until);
    controls(this);
    if (!this.#jump()) this.sound.seek(this.place.kept);
    this.#step();
  }

  disconnectedCallback() {
    this.#over.abort();
    cancelAnimationFrame(this.#drawing);
    this.dial?.wave.stop();
  }

  #step = () => {
    cancelAnimationFrame(this.#drawing);
    const { now, paused } = this.sound;
    if (this.loop && !paused && now >= this.loop[1]) this.sound.seek(this.loop[0]);
    this.reader.mark(now * 1000);
    this.dial.show(this.loop !== null);
    this.dial.find('[data-do=follow]').hidden = this.reader.following;
    if (now * 1000 > this.reader.end) this.#more();
    if (!paused) this.#drawing = requestAnimationFrame(this.#step);
  };

  /** Ask for text until it reaches the sound; each part that comes asks for the next. Called for every paragraph of it. */
  #more = () => {
    const { now } = this.sound;
    if (now * 1000 > this.reader.end) document.getElementById('onward')?.dispatchEvent(new Event('mem-more'));
    else this.reader.mark(now * 1000);
  };

  #jump = () => {
    const seconds = asked(location.hash);
    if (seconds !== null) this.seek(seconds);
    return seconds !== null;
  };

  /** @param {number} seconds */
  seek(seconds) {
    if (this.loop && (seconds < this.loop[0] || seconds > this.loop[1])) this.loop = null;
    this.reader.following = true;
    this.sound.seek(seconds);
  }

  /** The reader looks elsewhere: while it plays, the text stays there. */
  wander() {
    this.reader.following = this.sound.paused && this.reader.following;
    this.#step();
  }

  /** @param {string} what one of DEEDS */
  do(what) {
    DEEDS[what]?.(this, this.sound);
    this.#step();
  }
}

/** @type {Record<string, string>} */
const KEYS = { ' ': 'play', arrowleft: 'back', arrowright: 'forward', ',': 'slower', '.': 'faster' };
/** @type {Record<string, string>} */
const SLIDING = { ArrowLeft: 'back', ArrowDown: 'back', ArrowRight: 'forward', ArrowUp: 'forward', PageDown: 'far-back', PageUp: 'far-forward', Home: 'start', End: 'end' };
/** @type {Record<string, (player: Player, sound: Sound) => void>} */
const DEEDS = {
  play: (_, sound) => sound.toggle(),
  follow: (player) => player.reader.show(),
  back: (player, { now }) => player.seek(now - BACK),
  forward: (player, { now }) => player.seek(now + BACK),
  'far-back': (player, { now }) => player.seek(now - FAR),
  'far-forward': (player, { now }) => player.seek(now + FAR),
  again: (player, { now }) => player.seek(Math.max(now - AGAIN, (player.reader.turn ? startOf(player.reader.turn) : 0) / 1000)),
  loop: (player, sound) => {
    const turn = player.reader.turn;
    player.loop = player.loop || !turn ? null : [startOf(turn) / 1000, endOf(turn) / 1000];
    if (player.loop) sound.play();
  },
  'to-playing': (player) => player.reader.show(),
  start: (player) => player.seek(0),
  end: (player, { length }) => player.seek(length),
  slower: (_, sound) => { sound.rate = otherRate(sound.rate, -1); },
  faster: (_, sound) => { sound.rate = otherRate(sound.rate, 1); },
  rate: (_, sound) => { sound.rate = sound.rate >= 2 ? 0.75 : otherRate(sound.rate, 1); },
};

/** Where one listened last, in this browser. */
class Place {
  /** @param {HTMLAudioElement} audio */
  constructor(audio) {
    this.audio = audio;
    this.name = `memweb.place.${new URL(audio.src).pathname}`;
  }

  get kept() {
    try {
      return Number(localStorage.getItem(this.name)) || 0;
    } catch {
      return 0;
    }
  }

  keep() {
    const { currentTime, duration } = this.audio;
    try {
      if (currentTime > 1 && !(currentTime > duration - 2)) localStorage.setItem(this.name, currentTime.toFixed(1));
      else localStorage.removeItem(this.name);
    } catch {
      // A browser that keeps nothing: one starts at the beginning.
    }
  }
}

/** The keys of keyboards and headsets. @param {Player} player */
function controls(player) {
  if (!navigator.mediaSession) return;
  const media = { play: 'play', pause: 'play', seekbackward: 'back', seekforward: 'forward' };
  for (const [name, does] of Object.entries(media)) {
    navigator.mediaSession.setActionHandler(/** @type {MediaSessionAction} */ (name), () => player.do(does));
  }
}

customElements.define('mem-player', Player);
