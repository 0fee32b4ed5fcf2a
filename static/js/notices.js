import { leave } from './focus.js';
import { trouble } from './trouble.js';

/** A notice goes when it is dismissed. It never goes by itself: some people read slowly. */
class Notice extends HTMLElement {
  #dismiss = (event) => {
    if (!event.target.closest('[data-dismiss]')) return;
    leave(this);
    this.remove();
  };

  connectedCallback() {
    this.addEventListener('click', this.#dismiss);
  }

  disconnectedCallback() {
    this.removeEventListener('click', this.#dismiss);
  }
}

customElements.define('mem-notice', Notice);

/** One notice for all of a kind: the latest. Made anew, so that it is read out again. @param {string} id @param {string} words @param {string} link */
export function tell(id, words, link = '', look = '') {
  document.getElementById(id)?.remove();
  const made = Object.assign(document.createElement('mem-notice'), { id, className: `notice ${look}` });
  made.append(Object.assign(document.createElement('p'), { textContent: words }));
  // Without what follows the #, else the page would not be loaded.
  const here = location.pathname + location.search;
  if (link) made.append(Object.assign(document.createElement('a'), { className: 'link', href: here, textContent: link }));
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'link', textContent: 'Dismiss' });
  close.dataset.dismiss = '';
  made.append(close);
  document.getElementById('notices')?.append(made);
}

/** @param {Event} event */
function failed(event) {
  const { requestConfig, xhr } = /** @type {CustomEvent} */ (event).detail;
  const { words, link } = trouble(requestConfig, xhr.status);
  if (!words) return;
  const box = requestConfig.triggeringEvent?.target;
  // A switch shows what is saved: it goes back.
  if (requestConfig.verb !== 'get' && box?.matches?.('[type=checkbox]')) box.checked = !box.checked;
  tell('trouble', words, link, 'error');
}

for (const name of ['htmx:sendError', 'htmx:timeout', 'htmx:responseError']) document.addEventListener(name, failed);
