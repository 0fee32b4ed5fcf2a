// @ts-check
/**
 * The text of a record beside its sound. Pure arithmetic first, then the Reader, which keeps the two in step.
 * Times are milliseconds.
 */

/**
 * Where the words of a segment are, from the server's packing: "skip.length.start" per word, "?" after an unsure one.
 * Characters are code points. A segment without word times is one word.
 * @param {string} text
 * @param {string} packed
 * @returns {{text: string, start: number | null, unsure: boolean}[]} pieces that join to the text; null between words
 */
export function pieces(text, packed) {
  const letters = Array.from(text);
  if (!packed) return text ? [{ text, start: 0, unsure: false }] : [];
  const found = [];
  let at = 0;
  for (const word of packed.split(' ')) {
    const [skip, length, start] = word.replace('?', '').split('.').map(Number);
    if (skip) found.push({ text: letters.slice(at, at + skip).join(''), start: null, unsure: false });
    at += skip + length;
    found.push({ text: letters.slice(at - length, at).join(''), start, unsure: word.endsWith('?') });
  }
  if (at < letters.length) found.push({ text: letters.slice(at).join(''), start: null, unsure: false });
  return found;
}

/**
 * Index of the last of these rising numbers that is not above `value`, or -1. Binary search.
 * @param {ArrayLike<number>} starts
 * @param {number} value
 */
export function lastAtOrBefore(starts, value) {
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** How long a word stays marked after its segment has ended. */
const LINGER = 300;

/** Gives the words of paragraphs a place of their own once they come into sight, and says when paragraphs come. */
class Sight {
  /** @param {HTMLElement} root @param {() => void} changed */
  constructor(root, changed) {
    this.root = root;
    this.seen = new IntersectionObserver((turns) => {
      for (const turn of turns) if (turn.isIntersecting) this.#spread(turn.target);
    }, { rootMargin: '50%' });
    this.changes = new MutationObserver(changed);
    this.changes.observe(root, { childList: true });
  }

  /** Watch the paragraphs that came, and whether others come into their parts. */
  look() {
    for (const part of this.root.querySelectorAll('.part')) this.changes.observe(part, { childList: true });
    for (const turn of this.root.querySelectorAll('.turn:not([data-seen])')) {
      turn.setAttribute('data-seen', '');
      this.seen.observe(turn);
    }
  }

  stop() {
    this.seen.disconnect();
    this.changes.disconnect();
  }

  /** @param {Element} turn */
  #spread(turn) {
    this.seen.unobserve(turn);
    for (const segment of turn.querySelectorAll('.s')) spread(/** @type {HTMLElement} */ (segment));
  }
}

/** Marks what is being said, and keeps it in sight until the reader scrolls away. */
export class Reader {
  /** @type {HTMLElement[]} */ #segments = [];
  /** @type {number[]} */ #starts = [];
  /** @type {Element | null} */ #word = null;
  following = true;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.sight = new Sight(root, () => this.refresh());
    this.refresh();
  }

  /** Paragraphs came or went. */
  refresh() {
    this.sight.look();
    this.#segments = [...this.root.querySelectorAll('.s')];
    this.#starts = this.#segments.map((segment) => Number(segment.dataset.start));
  }

  stop() {
    this.sight.stop();
  }

  /** Where the loaded text ends. */
  get end() {
    return Number(this.#segments.at(-1)?.dataset.end ?? 0);
  }

  /** Mark what is said at this time. @param {number} ms */
  mark(ms) {
    const segment = this.#segments[lastAtOrBefore(this.#starts, ms)];
    const said = segment && ms <= Number(segment.dataset.end) + LINGER ? wordAt(segment, ms) : null;
    if (said === this.#word) return;
    this.#word?.classList.remove('at');
    said?.classList.add('at');
    const turn = said?.closest('.turn');
    if (turn !== this.#word?.closest('.turn')) {
      this.root.querySelector('.turn.now')?.classList.remove('now');
      turn?.classList.add('now');
    }
    this.#word = said;
    if (said && this.following) keepInSight(said);
  }

  /** Give the words of a segment places of their own, though it is not in sight yet. @param {HTMLElement} segment */
  spread(segment) {
    spread(segment);
  }

  /** The paragraph being said, or null. */
  get turn() {
    return this.root.querySelector('.turn.now');
  }

  /** Scroll to what is being said, wherever the reader is. */
  show() {
    this.following = true;
    this.#word?.scrollIntoView({ block: 'center', behavior: behavior() });
  }
}

/** @param {HTMLElement} segment @param {number} ms @returns {Element | null} */
function wordAt(segment, ms) {
  spread(segment);
  const words = [...segment.querySelectorAll('.w')];
  const starts = words.map((word) => Number(/** @type {HTMLElement} */ (word).dataset.start));
  return words[Math.max(lastAtOrBefore(starts, ms), 0)] ?? null;
}

/** @param {Element} word */
function keepInSight(word) {
  const { top, bottom } = word.getBoundingClientRect();
  if (top < innerHeight * 0.1 || bottom > innerHeight * 0.72) {
    word.scrollIntoView({ block: 'center', behavior: behavior() });
  }
}

const behavior = () => (matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth');

/** The text of a record: it has its Reader, with a player or without one. */
class Text extends (globalThis.HTMLElement ?? Object) {
  /** @type {Reader | undefined} */ reader;

  connectedCallback() {
    this.reader = new Reader(this);
  }

  disconnectedCallback() {
    this.reader?.stop();
  }
}

/** Give each word of a segment a place of its own to click and to mark. @param {HTMLElement} segment */
function spread(segment) {
  if (segment.firstElementChild) return;
  const begin = Number(segment.dataset.start);
  const parts = pieces(segment.textContent ?? '', segment.dataset.words ?? '').map(({ text, start, unsure }) => {
    if (start === null) return document.createTextNode(text);
    const word = document.createElement('span');
    word.className = unsure ? 'w low' : 'w';
    word.dataset.start = String(begin + start);
    if (unsure) word.title = 'Not sure of this word';
    word.textContent = text;
    return word;
  });
  segment.replaceChildren(...parts);
}

if (globalThis.customElements) customElements.define('mem-text', Text);
