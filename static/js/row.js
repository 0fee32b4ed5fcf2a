// @ts-check
/** A file's row on the upload page while this page sends it; the server's own row takes its place. */
import { leave } from './focus.js';
import { left, percent, price, size, words } from './progress.js';

const ABOUT = {
  paused: 'paused by you',
  away: 'continues by itself',
};
const DOES = { pause: 'Pause', resume: 'Resume', retry: 'Try', remove: 'Remove' };
const SIGN_IN = 'Sign in again';

export class Row {
  #transfer;
  #element;

  /** @param {import('./transfer.js').Transfer} transfer @param {Element} queue @param {Element} [known] the row it has */
  constructor(transfer, queue, known) {
    this.#transfer = transfer;
    const made = /** @type {HTMLTemplateElement} */ (document.getElementById('upload-row')).content.cloneNode(true);
    this.#element = /** @type {HTMLElement} */ (/** @type {DocumentFragment} */ (made).firstElementChild);
    this.#part('name').textContent = transfer.file.name;
    this.#part('size').textContent = size(transfer.file.size);
    for (const button of this.#buttons()) {
      const verb = DOES[button.dataset.do];
      const now = verb === 'Try' ? ' now' : '';
      button.setAttribute('aria-label', `${verb} ${transfer.file.name}${now}`);
      button.title = `${verb}${now}`;
    }
    this.#element.addEventListener('click', (event) => this.#click(/** @type {Element} */ (event.target)));
    if (known) known.replaceWith(this.#element);
    else queue.prepend(this.#element);
    transfer.addEventListener('change', () => this.show());
    this.show();
    this.#estimate();
  }

  /** What it will cost, where there is a price and the browser can tell how long it is. The server tells it later for all. */
  #estimate() {
    const options = /** @type {HTMLElement | null} */ (document.getElementById('options'));
    const rate = Number(options?.dataset.rate ?? 0);
    if (!rate || !this.#transfer.file.size) return;
    const sound = Object.assign(document.createElement('audio'), { preload: 'metadata' });
    const address = URL.createObjectURL(this.#transfer.file);
    sound.addEventListener('error', () => URL.revokeObjectURL(address));
    sound.addEventListener('loadedmetadata', () => {
      this.#part('price').textContent = price(sound.duration, rate);
      this.#part('price').hidden = !this.#part('price').textContent;
      URL.revokeObjectURL(address);
    });
    sound.src = address;
  }

  show() {
    const { state, sent, file, speed, cure } = this.#transfer;
    if (state === 'removed') {
      leave(this.#element);
      this.#element.remove();
    }
    if (state === 'done' && this.#transfer.id) this.#hand();
    const done = percent(sent, file.size);
    this.#part('state').textContent = words(state, done);
    this.#part('about').textContent = state === 'uploading' ? this.#going(speed, file.size - sent) : ABOUT[state] ?? '';
    this.#part('about').hidden = !this.#part('about').textContent;
    this.#element.querySelector('.st').classList.toggle('bad', state === 'away' || state === 'failed');
    this.#part('unplugged').toggleAttribute('hidden', state !== 'away');
    this.#part('failed').toggleAttribute('hidden', state !== 'failed');
    this.#progress(done, state);
    if (state === 'failed') this.#why(this.#transfer.reason);
    const shown = { paused: 'resume', away: 'retry', failed: cure === 'retry' ? 'retry' : '' }[state] ?? 'pause';
    const pressed = [...this.#buttons()].find((button) => button === document.activeElement);
    for (const button of this.#buttons()) button.hidden = ![shown, 'remove'].includes(button.dataset.do);
    if (pressed?.hidden) /** @type {HTMLElement} */ (this.#element.querySelector(`[data-do=${shown || 'remove'}]`)).focus();
  }

  #going(speed, rest) {
    const about = speed.perSecond ? `${size(speed.perSecond)} a second` : '';
    return [about, left(speed.left(rest))].filter(Boolean).join(', ');
  }

  #progress(done, state) {
    const bar = /** @type {HTMLProgressElement} */ (this.#element.querySelector('progress'));
    bar.value = done;
    bar.hidden = state === 'failed';
    bar.classList.toggle('still', state !== 'uploading');
    bar.setAttribute('aria-label', `${words(state, done)}: ${this.#transfer.file.name}`);
  }

  #why(reason) {
    if (this.#element.querySelector('.why')) return;
    const why = Object.assign(document.createElement('p'), { className: 'why', textContent: reason });
    const act = Object.assign(document.createElement('div'), { className: 'act' });
    act.append(why);
    // This page once more, for the way back; without what follows the #, else it would not be loaded.
    const here = location.pathname + location.search;
    if (this.#transfer.cure === 'sign in') act.append(Object.assign(document.createElement('a'), { className: 'link', href: here, textContent: SIGN_IN }));
    this.#element.append(act);
  }

  /** From here on the server tells; it is asked until it does. */
  #hand() {
    if (this.#element.hasAttribute('hx-get')) return;
    const page = document.querySelector('mem-upload')?.getAttribute('data-page');
    const asks = { 'hx-get': `${page}${this.#transfer.id}/`, 'hx-trigger': 'load, every 2s', 'hx-swap': 'outerHTML' };
    for (const [name, value] of Object.entries(asks)) this.#element.setAttribute(name, value);
    /** @type {any} */ (window).htmx.process(this.#element);
  }

  #click(target) {
    const what = /** @type {HTMLElement | null} */ (target.closest('[data-do]'))?.dataset.do;
    if (what) this.#element.querySelector('.act')?.remove();
    if (what === 'pause') this.#transfer.pause();
    if (what === 'resume' || what === 'retry') this.#transfer.resume();
    if (what === 'remove') this.#transfer.remove();
  }

  #part = (name) => /** @type {HTMLElement} */ (this.#element.querySelector(`[data-${name}]`));

  #buttons = () => /** @type {NodeListOf<HTMLElement>} */ (this.#element.querySelectorAll('[data-do]'));
}
