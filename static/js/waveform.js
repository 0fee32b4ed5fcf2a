// @ts-check
/** A recording's peaks as bars in the colours of who speaks, what was played darker than what is to come. */
import { lastAtOrBefore } from './reading.js';

const STEP = 4;
const BAR = 2;
const PEAK_MS = 100;
const COLOURS = 8;

/**
 * Peaks gathered into so many bars, the loudest of each, as a share of the loudest of all.
 * @param {Uint8Array} peaks one byte per 100 ms
 * @param {number} count
 * @returns {number[]} 0 to 1
 */
export function bars(peaks, count) {
  if (!peaks.length) return new Array(count).fill(0);
  const most = Math.max(peaks.reduce((a, b) => Math.max(a, b), 0), 16);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * peaks.length) / count);
    const to = Math.max(Math.floor(((i + 1) * peaks.length) / count), from + 1);
    return peaks.subarray(from, to).reduce((a, b) => Math.max(a, b), 0) / most;
  });
}

export class Waveform {
  #peaks = new Uint8Array();
  #played = 0;
  /** @type {[number, number, number][]} */ #runs = [];
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #draw = () => this.draw();

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.sizes = new ResizeObserver(this.#draw);
    this.sizes.observe(canvas);
    this.#scheme.addEventListener('change', this.#draw);
  }

  /** @param {string} peaks @param {string} voices addresses */
  async load(peaks, voices) {
    const answers = await Promise.all([fetch(peaks), voices ? fetch(voices) : null]);
    if (answers[0].ok) this.#peaks = new Uint8Array(await answers[0].arrayBuffer());
    if (answers[1]?.ok) this.#runs = (await answers[1].json()).runs;
    this.draw();
  }

  stop() {
    this.sizes.disconnect();
    this.#scheme.removeEventListener('change', this.#draw);
  }

  /** @param {number} share 0 to 1 */
  set played(share) {
    const before = this.#played;
    this.#played = share;
    if (Math.round(before * this.canvas.clientWidth) !== Math.round(share * this.canvas.clientWidth)) this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const context = this.canvas.getContext('2d');
    if (!width || !context) return;
    this.canvas.width = width * devicePixelRatio;
    this.canvas.height = height * devicePixelRatio;
    context.scale(devicePixelRatio, devicePixelRatio);
    const [palette, starts, count] = [this.#palette(), this.#runs.map(([start]) => start), Math.floor(width / STEP)];
    bars(this.#peaks, count).forEach((level, i) => {
      const tall = Math.max(level * height, 2);
      context.fillStyle = palette[this.#voiceAt(starts, ((i + 0.5) * this.#peaks.length * PEAK_MS) / count)];
      context.globalAlpha = (i * STEP + STEP / 2) / width <= this.#played ? 1 : 0.3;
      context.beginPath();
      context.roundRect(i * STEP + 1, (height - tall) / 2, BAR, tall, 1);
      context.fill();
    });
  }

  /** Whose colour stands at this time: 0 for nobody's. @param {number[]} starts @param {number} ms */
  #voiceAt(starts, ms) {
    const run = this.#runs[lastAtOrBefore(starts, ms)];
    return run && run[2] ? ((run[2] - 1) % COLOURS) + 1 : 0;
  }

  /** The colours as this scheme has them; `light-dark()` is resolved only where it is used. */
  #palette() {
    const names = ['', ...Array.from({ length: COLOURS }, (_, i) => `c${i + 1}`)];
    const colours = names.map((name) => {
      this.canvas.className = name;
      return getComputedStyle(this.canvas).color;
    });
    this.canvas.className = '';
    return colours;
  }
}
