// @ts-check
/** <mem-marks>: the outline and the marks beside a record, in step with its player, and on its time line. */

/** What is above this many pixels is behind the bar. */
const BAR = 80;

/** One after the other: each answer brings all marks, and a new element in place of the one that is there by then. */
let turn = Promise.resolve();

/** The mark that had the focus when an answer came: its id, which of all it is, and whether it was being edited.
 * @type {{ id: string, place: number, edited: boolean } | null} */
let held = null;

class Marks extends HTMLElement {
  #over = new AbortController();

  connectedCallback() {
    this.#over = new AbortController();
    const until = { signal: this.#over.signal };
    this.addEventListener('click', this.#press, until);
    this.addEventListener('htmx:beforeSwap', this.#hold, until);
    this.addEventListener('htmx:oobBeforeSwap', this.#grow, until);
    this.audio = document.querySelector('mem-player audio');
    for (const name of ['timeupdate', 'seeking', 'durationchange']) this.audio?.addEventListener(name, this.#step, until);
    this.#draw();
    this.#step();
    const field = /** @type {HTMLInputElement | null} */ (this.querySelector('details[open] input[name=note]'));
    const place = field ?? this.#place();
    queueMicrotask(() => place?.focus()); // after htmx has given the focus back to the button that was pressed
  }

  disconnectedCallback() {
    this.#over.abort();
  }

  /** Mark where the sound is, or the reader. @param {boolean} isChapter */
  add(isChapter) {
    const at = this.#player ? Math.round(this.#player.sound?.now * 1000) : this.#read();
    if (!Number.isFinite(at)) return;
    const path = this.dataset.marks ?? '';
    const values = { at_ms: at, ...(isChapter ? { chapter: 'on' } : {}) };
    turn = turn.then(() => htmx.ajax('POST', path, { target: '#marks', swap: 'outerHTML', values })).catch(() => {});
  }

  /** When the paragraph begins that was chosen, else the first one in sight. */
  #read() {
    const { chosen } = /** @type {any} */ (document.querySelector('mem-editor')) ?? {};
    const all = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('mem-text .turn')]);
    const seen = chosen?.isConnected ? chosen : all.find((article) => article.getBoundingClientRect().bottom > BAR);
    return Number(seen?.dataset.start);
  }

  /** @returns {any} */
  get #player() {
    return document.querySelector('mem-player');
  }

  /** @param {Event} event */
  #press = (event) => {
    const target = /** @type {Element} */ (event.target);
    const button = /** @type {HTMLElement | null} */ (target.closest('[data-mark]'));
    const link = /** @type {HTMLElement | null} */ (target.closest('[data-go]'));
    if (button) this.add(button.dataset.mark === 'chapter');
    if (!link || !this.#player) return;
    event.preventDefault();
    this.#player.seek(Number(link.dataset.go) / 1000);
  };

  #hold = () => {
    const rows = [...this.querySelectorAll('.mk')];
    const has = document.activeElement;
    const place = rows.findIndex((row) => row.contains(has));
    held = place < 0 ? null : { id: rows[place].id, place, edited: Boolean(has?.closest('details')) };
  };

  /** New gaps of a stream come by themselves; not while a mark is being edited: then the page asks for them again.
   * @param {Event} event */
  #grow = (event) => {
    if (this.querySelector('details[open]')) /** @type {CustomEvent} */ (event).detail.shouldSwap = false;
    else this.#hold();
  };

  /** Where the focus goes on: on the same mark, on the one in its place, or where marks are set.
   * @returns {HTMLElement | null} */
  #place() {
    if (!held) return null;
    const { id, place, edited } = held;
    held = null;
    const same = id ? this.querySelector(`#${id}`) : null; // the element in whose place this one comes is still there
    const row = same ?? [...this.querySelectorAll('.mk')].slice(0, place + 1).pop();
    const found = row?.querySelector(same && edited ? 'summary' : 'a') ?? this.querySelector('#mark-here');
    return /** @type {HTMLElement | null} */ (found ?? document.getElementById('main'));
  }

  /** The chapter being played stands out. */
  #step = () => {
    const now = (/** @type {HTMLAudioElement | null} */ (this.audio)?.currentTime ?? 0) * 1000;
    const chapters = /** @type {HTMLElement[]} */ ([...this.querySelectorAll('[data-chapter]')]);
    const current = chapters.findLast((one) => Number(one.dataset.at) <= now + 1);
    for (const one of chapters) {
      const link = one.querySelector('a');
      if (one === current) link?.setAttribute('aria-current', 'true');
      else link?.removeAttribute('aria-current');
    }
  };

  /** Flags on the time line. */
  #draw() {
    const scrub = document.querySelector('mem-player .scrub');
    if (!scrub) return;
    for (const old of scrub.querySelectorAll('.flag')) old.remove();
    const length = Number(scrub.ariaValueMax) * 1000;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (this.querySelectorAll('.mk'))) {
      const flag = document.createElement('i');
      flag.className = 'chapter' in one.dataset ? 'flag opens' : 'flag';
      flag.style.left = `${length ? Math.min(Number(one.dataset.at) / length, 1) * 100 : 0}%`;
      flag.title = one.querySelector('a span')?.textContent ?? '';
      scrub.append(flag);
    }
  }
}

customElements.define('mem-marks', Marks);
