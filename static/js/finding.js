// @ts-check
/** Find, and replace, in one transcript: also where its text is not loaded yet. */
import { more } from './paragraphs.js';
import { Away } from './saving.js';

const PAUSE_MS = 150;

export class Finder {
  /** @type {[string, number][]} */ #places = [];
  #at = -1;
  #timer = 0;

  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.form = /** @type {HTMLFormElement} */ (editor.querySelector('.finder'));
    this.field = /** @type {HTMLInputElement} */ (this.form.elements.namedItem('q'));
    this.count = /** @type {HTMLElement} */ (this.form.querySelector('[role=status]'));
    this.field.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#look(), PAUSE_MS);
    });
    this.form.addEventListener('keydown', (event) => this.#key(event));
    this.form.addEventListener('submit', (event) => this.#submit(event));
    this.form.addEventListener('click', (event) => this.#press(/** @type {Element} */ (event.target)));
  }

  /** @param {boolean} replace */
  open(replace) {
    this.form.hidden = false;
    /** @type {HTMLDetailsElement} */ (this.form.querySelector('details')).open ||= replace;
    this.field.select();
    this.field.focus();
  }

  close() {
    this.form.hidden = true;
    this.#mark(null);
    this.editor.choose(this.editor.chosen);
  }

  async #look() {
    const words = this.field.value.trim();
    try {
      const found = words ? await this.editor.server.find(words) : { places: [], more: false };
      this.#places = found.places;
      this.#at = -1;
      this.more = found.more;
      if (words && found.places.length) await this.step(1);
      else this.#say(words ? 'Not here' : '');
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      this.#say(error.message || 'No answer');
    }
  }

  /** To the next place, or the one before. @param {number} by */
  async step(by) {
    if (!this.#places.length) return;
    this.#at = (this.#at + by + this.#places.length) % this.#places.length;
    const [key, start] = this.#places[this.#at];
    await this.#load(key);
    const segment = document.getElementById(`s-${key}`);
    this.#say(`${this.#at + 1} of ${this.#places.length}${this.more ? '+' : ''}`);
    this.#mark(segment, this.#places.slice(0, this.#at).filter(([other]) => other === key).length);
    segment?.scrollIntoView({ block: 'center' });
    this.editor.choose(segment?.closest('.turn') ?? null, false);
    if (this.editor.player) this.editor.player.seek(start / 1000);
  }

  /** Ask for text until it reaches this segment. @param {string} key */
  async #load(key) {
    while (!document.getElementById(`s-${key}`) && (await more()));
  }

  /** Mark the words where they are found, with no change to the page's elements. @param {Element | null} segment @param {number} [nth] */
  #mark(segment, nth = 0) {
    if (!('highlights' in CSS)) return;
    CSS.highlights.delete('found');
    const range = segment && rangeOf(segment, this.field.value.trim(), nth);
    if (range) CSS.highlights.set('found', new Highlight(range));
  }

  /** @param {string} words */
  #say(words) {
    this.count.textContent = words;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.key === 'Escape') this.close();
    else if (event.key === 'Enter' && event.target === this.field) this.step(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {SubmitEvent} event */
  async #submit(event) {
    event.preventDefault();
    const form = new FormData(this.form);
    const put = String(form.get('put') ?? '');
    try {
      await this.editor.close();
      await this.editor.server.reload('replacement/', { find: this.field.value, put, whole: form.get('whole') ? 'on' : '' });
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      this.#say(error.message || 'No answer. Nothing was changed');
    }
  }

  /** @param {Element} target */
  #press(target) {
    const what = /** @type {HTMLElement | null} */ (target.closest('[data-find]'))?.dataset.find;
    if (what === 'close') this.close();
    else if (what) this.step(Number(what));
  }
}

/** The nth place of these words in an element, without regard to case. @param {Element} element @param {string} words @param {number} nth */
export function rangeOf(element, words, nth) {
  const text = element.textContent ?? '';
  let begin = -1;
  for (let place = 0; place <= nth; place += 1) begin = text.toLowerCase().indexOf(words.toLowerCase(), begin + 1);
  if (begin < 0 || !words) return null;
  const range = document.createRange();
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let passed = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = (node.textContent ?? '').length;
    if (begin >= passed && begin < passed + length) range.setStart(node, begin - passed);
    if (begin + words.length <= passed + length) {
      range.setEnd(node, begin + words.length - passed);
      return range;
    }
    passed += length;
  }
  return null;
}
