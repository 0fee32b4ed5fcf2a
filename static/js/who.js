// @ts-check
/** Who says a paragraph: the dialog that asks. */
import { segmentsOf } from './paragraphs.js';

export class Who {
  /** @type {HTMLElement | null} */ #article = null;

  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.dialog = /** @type {HTMLDialogElement} */ (editor.querySelector('#speaker'));
    this.form = /** @type {HTMLFormElement} */ (this.dialog.querySelector('form'));
    this.dialog.addEventListener('close', () => this.#answered());
    this.dialog.addEventListener('keydown', (event) => this.#key(event));
  }

  /** @param {HTMLElement | null} article */
  ask(article) {
    if (!article) return;
    this.#article = article;
    this.form.reset();
    const name = article.querySelector('.sp b')?.textContent ?? '';
    const own = [...this.#choices].find((choice) => choice.value === name);
    if (own) own.checked = true;
    this.dialog.returnValue = ''; // Esc leaves it as it was, and would give the last answer again
    this.dialog.showModal();
    (own ?? this.#choices[0] ?? this.form.elements.namedItem('name')).focus();
  }

  get #choices() {
    return /** @type {NodeListOf<HTMLInputElement>} */ (this.form.querySelectorAll('input[name=who]'));
  }

  /** A figure chooses a speaker, outside the field. @param {KeyboardEvent} event */
  #key(event) {
    const choice = /^[1-9]$/.test(event.key) && this.#choices[Number(event.key) - 1];
    if (!choice || /** @type {Element} */ (event.target).matches('[name=name]')) return;
    event.preventDefault();
    choice.checked = true;
    this.dialog.close('save');
  }

  async #answered() {
    const article = this.#article;
    if (this.dialog.returnValue !== 'save' || !article) {
      this.editor.choose(article);
      return;
    }
    const given = new FormData(this.form);
    const name = String(given.get('name') || given.get('who') || '');
    const isNew = ![...this.#choices].some((choice) => choice.value === name);
    const answer = await this.editor.send('speaker/', { name, reach: String(given.get('reach')), segment: segmentsOf(article) });
    if (answer && (isNew || given.get('reach') === 'onward')) location.reload();
    else this.editor.choose(answer?.holding(segmentsOf(article).map((one) => one.split(':')[0]))[0] ?? article);
  }
}
