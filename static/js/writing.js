// @ts-check
/** One paragraph while it is being corrected: its field, its drafts, its way to the server. */
import { segmentsOf, takeOff, textOf } from './paragraphs.js';
import { Away, SignedOut, later } from './saving.js';

const PAUSE_MS = 2000;

export class Writing {
  #timer = 0;
  #length = 0;
  #width = 0;
  #saved;
  #drafted = false;
  #stills = 0;
  #leaving = false;
  /** @type {(() => void) | null} calls off the next try */ #again = null;
  #began = '';
  #sending = Promise.resolve(true);

  /**
   * @param {HTMLElement} article
   * @param {import('./editor.js').Editor} editor
   * @param {string} text what to begin with: what is there, or a draft
   * @param {string[]} [segments] what it was typed over
   */
  constructor(article, editor, text, segments = segmentsOf(article)) {
    this.article = article;
    this.editor = editor;
    this.#saved = textOf(article);
    this.segments = segments;
    this.#drafted = text !== this.#saved;
    const template = /** @type {HTMLTemplateElement} */ (editor.querySelector('#paragraph-form'));
    this.form = /** @type {HTMLFormElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
    this.field = /** @type {HTMLTextAreaElement} */ (this.form.elements.namedItem('text'));
    this.field.value = text;
    this.field.addEventListener('input', () => this.#typed());
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      editor.goOn(this);
      editor.close();
    });
    this.form.addEventListener('click', (event) => this.#choose(/** @type {Element} */ (event.target)));
    this.sizes = new ResizeObserver(this.#refit);
    this.enter();
  }

  /** Put the field in the place of the paragraph, as it was left where it was there before. */
  enter() {
    this.#leaving = false;
    this.article.classList.add('written');
    this.article.querySelector('.prose')?.append(this.form);
    this.#fit();
    this.sizes.observe(this.form);
  }

  get key() {
    return this.keys[0];
  }

  get keys() {
    return this.segments.map((one) => one.replace(/:\d+$/, ''));
  }

  /** @param {number} from @param {number} [to] */
  focus(from, to = from) {
    this.field.focus();
    this.field.setSelectionRange(from, to);
  }

  get isAtStart() {
    return this.field.selectionStart === 0 && this.field.selectionEnd === 0;
  }

  get hasChanged() {
    return this.field.value.trim() !== this.#saved.trim();
  }

  /**
   * Send what was typed. True once the server has it; false where somebody else changed it, or nothing answers. A field
   * that is empty may be on its way to other words: only leaving it takes the paragraph out.
   */
  save(leaving = false) {
    clearTimeout(this.#timer);
    this.#leaving ||= leaving;
    this.#sending = this.#sending.then(() => this.#send());
    return this.#sending;
  }

  /**
   * Let nothing be typed while the field is about to go: its words are on their way, and more would be lost.
   * @template Result @param {() => Promise<Result>} work
   */
  async still(work) {
    this.#stills += 1;
    this.field.readOnly = true;
    try {
      return await work();
    } finally {
      this.#stills -= 1;
      this.field.readOnly = this.#stills > 0;
    }
  }

  /** Take the field away. The paragraph is whatever the server said last. */
  leave() {
    clearTimeout(this.#timer);
    this.sizes.disconnect();
    this.form.remove();
    this.article.classList.remove('written');
  }

  /** Leave for good: the server has all of it, or it is not wanted. */
  finish() {
    this.leave();
    this.#draft(null);
    this.#again?.();
  }

  #typed() {
    this.#leaving = false;
    this.#fit();
    this.#draft(this.field.value);
    this.editor.say('', '', this);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), PAUSE_MS);
  }

  /** Kept in this browser until the server has it. One of an earlier visit is not ours to take away. @param {string | null} text */
  #draft(text) {
    this.#drafted = Boolean(text?.trim());
    this.editor.drafts.keep(this.key, text?.trim() ? { segments: this.segments, text } : null);
  }

  async #send() {
    if (!this.hasChanged) {
      if (this.#drafted) this.#draft(null);
      return true;
    }
    const text = this.field.value;
    if (!text.trim() && !this.#leaving) return true;
    this.#draft(text);
    try {
      const fields = { segment: this.segments, text, goes_on: this.#began };
      const { status, answer } = await this.editor.server.post('text/', fields);
      if (status !== 200) return this.refused(status, answer);
      this.#began ||= answer.edit;
      this.#saved = text;
      this.#draft(null);
      this.#take(answer);
      if (this.hasChanged) this.#draft(this.field.value);
      this.editor.kept(answer, 'Saved', this);
      return true;
    } catch (error) {
      if (!(error instanceof Away)) throw error;
      const isLost = error instanceof SignedOut;
      this.editor.say(isLost ? `Kept in this browser. ${error.message}` : 'Not saved yet. Kept in this browser', 'bad', this);
      if (!isLost) this.#tryAgain();
      return false;
    }
  }

  /** However often it was tried meanwhile. */
  #tryAgain() {
    this.#again ??= later(() => {
      this.#again = null;
      this.save();
    });
  }

  /** The server's words in the place of the old, behind the field. @param {import('./paragraphs.js').Answer} answer */
  #take(answer) {
    const fresh = answer.holding(this.keys);
    if (!fresh.length) takeOff(this.article);
    const children = fresh.flatMap((article) => [...(article.querySelector('.prose > p')?.childNodes ?? [])]);
    if (!children.length) return;
    this.article.querySelector('.prose > p')?.replaceChildren(...children);
    this.segments = segmentsOf(this.article);
    const { reader } = this.editor.text;
    reader.refresh();
    for (const segment of this.article.querySelectorAll('.s')) reader.spread(segment);
  }

  /** Say why, and show what somebody else wrote. @param {number} status @param {import('./paragraphs.js').Answer} answer */
  refused(status, answer) {
    const now = answer.holding(this.keys).map(textOf).join(' ');
    if (status === 409 && now.trim() === this.field.value.trim()) { // it was sent before, and the answer was lost
      this.#saved = now;
      this.#draft(null);
      this.#take(answer);
      return true;
    }
    this.editor.say(answer.said, 'bad', this);
    if (status !== 409) return false;
    this.theirs = answer;
    if (!this.form.isConnected) this.enter();
    const box = /** @type {HTMLElement} */ (this.form.querySelector('.theirs'));
    /** @type {HTMLElement} */ (box.querySelector('.now')).textContent = now || 'These words were taken out.';
    box.hidden = false;
    return false;
  }

  /** @param {Element} target */
  #choose(target) {
    const what = /** @type {HTMLElement | null} */ (target.closest('[data-edit]'))?.dataset.edit;
    if (!this.theirs || !(what === 'mine' || what === 'theirs')) return;
    this.editor.openAfter(this, this.theirs, what === 'mine' ? this.field.value : null);
  }

  /** As tall as its text. While that stays so it is laid out by itself, and not a long page with it for each letter. */
  #fit() {
    const { style, value, scrollHeight, clientHeight } = this.field;
    const shrank = value.length < this.#length;
    this.#length = value.length;
    if (!shrank && style.contain && scrollHeight <= clientHeight) return;
    style.contain = '';
    style.height = CSS.supports('field-sizing', 'content') ? '' : 'auto';
    style.height = `${this.field.scrollHeight}px`;
    style.contain = 'strict';
  }

  /** Another width breaks the lines elsewhere. @param {ResizeObserverEntry[]} entries */
  #refit = ([{ contentRect: { width } }]) => {
    if (width === this.#width) return;
    [this.#width, this.#length] = [width, Infinity];
    requestAnimationFrame(() => this.#fit());
  };
}
