// @ts-check
/** A recording's peaks as bars, what was played darker than what is to come. */

const STEP = 4;
const BAR = 2;

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
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #draw = () => this.draw();

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.sizes = new ResizeObserver(this.#draw);
    this.sizes.observe(canvas);
    this.#scheme.addEventListener('change', this.#draw);
  }

  /** @param {string} address */
  async load(address) {
    const answer = await fetch(address);
    if (!answer.ok) return;
    this.#peaks = new Uint8Array(await answer.arrayBuffer());
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
    context.fillStyle = getComputedStyle(this.canvas).color;
    bars(this.#peaks, Math.floor(width / STEP)).forEach((level, i) => {
      const tall = Math.max(level * height, 2);
      context.globalAlpha = (i * STEP + STEP / 2) / width <= this.#played ? 1 : 0.3;
      context.beginPath();
      context.roundRect(i * STEP + 1, (height - tall) / 2, BAR, tall, 1);
      context.fill();
    });
  }
}
