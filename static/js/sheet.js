// @ts-check
/** The sheet of keys: shows them, and lets a person have others. */
import { FIXED, SHEET, shown, written } from './keymap.js';
import { commandSign } from './shortcuts.js';

const MODIFIERS = new Set(['Shift', 'Control', 'Alt', 'Meta']);

export class Sheet {
  /** @type {HTMLElement | null} */ #waiting = null;

  /** @param {import('./editor.js').Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.dialog = /** @type {HTMLDialogElement} */ (editor.querySelector('#keys'));
    this.list = /** @type {HTMLElement} */ (this.dialog.querySelector('#keymap'));
    this.said = /** @type {HTMLElement} */ (this.dialog.querySelector('#keymap-said'));
    this.list.addEventListener('click', (event) => this.#ask(/** @type {Element} */ (event.target)));
    this.dialog.addEventListener('keydown', (event) => this.#take(event), { capture: true });
    this.dialog.addEventListener('close', () => { this.#waiting = null; });
  }

  show() {
    this.#draw();
    this.dialog.showModal();
  }

  reset() {
    this.editor.changed.reset();
    this.#draw();
    this.said.textContent = 'The keys are as they were.';
  }

  #draw() {
    const groups = SHEET.map(([title, rows]) => group(title, rows.map(([what, words, keys]) => this.#row(what, words, this.editor.changed.all[what] ?? keys))));
    this.list.replaceChildren(...groups, group('In the text', FIXED.map(([words, key]) => row(words, [element('kbd', key)]))));
  }

  /** @param {string} what @param {string} words @param {string[]} keys */
  #row(what, words, keys) {
    const button = element('button', '');
    button.dataset.what = what;
    const signs = keys.length ? keys.map((key) => shown(key, commandSign())) : ['none'];
    button.append(unseen(`${words}:`), ...signs.flatMap((sign) => [' ', element('kbd', sign)]), unseen(' Change'));
    return row(words, [button]);
  }

  /** @param {Element} target */
  #ask(target) {
    this.#waiting = target.closest('button');
    const words = this.#waiting?.closest('div')?.querySelector('dt')?.textContent ?? '';
    if (this.#waiting) this.said.textContent = `Press the new key for “${words}”. Esc leaves it.`;
  }

  /** @param {KeyboardEvent} event */
  #take(event) {
    const what = this.#waiting?.dataset.what;
    if (!what || MODIFIERS.has(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    this.#waiting = null;
    if (event.key === 'Escape') {
      this.said.textContent = 'Nothing was changed.';
      return;
    }
    this.editor.changed.set(what, written(event));
    this.#draw();
    this.said.textContent = 'Changed, in this browser.';
    /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-what="${what}"]`))?.focus();
  }
}

/** @param {string} name @param {string} text */
function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

/** Said, not shown. @param {string} text */
function unseen(text) {
  const made = element('span', text);
  made.className = 'vh';
  return made;
}

/** @param {string} words @param {HTMLElement[]} keys */
function row(words, keys) {
  const [made, value] = [element('div', ''), element('dd', '')];
  value.append(...keys);
  made.append(element('dt', words), value);
  return made;
}

/** @param {string} title @param {HTMLElement[]} rows */
function group(title, rows) {
  const [section, list] = [element('section', ''), element('dl', '')];
  list.append(...rows);
  section.append(element('h3', title), list);
  return section;
}
