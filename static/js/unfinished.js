/** The list of sessions that were not finished: finish, go on, download, or discard in two steps. */

import { heldElsewhere } from './line.js';
import { clock } from './words.js';

export class Unfinished {
  /** Sessions whose question stands: it stays until it is answered, also while the list is fetched anew. @type {Set<string>} */
  #asking = new Set();

  /** @param {HTMLElement} page that holds the list, which may be replaced @param {{recovery: object, store: object}} parts */
  constructor(page, { recovery, store }) {
    Object.assign(this, { recovery, store });
    page.addEventListener('click', (event) => {
      const button = event.target.closest('[data-does]');
      if (button) this.#act(button.dataset.does, button.closest('[data-sid]'));
    });
    page.addEventListener('submit', (event) => this.#finish(event));
    this.#measure();
  }

  get section() {
    return document.getElementById('unfinished');
  }

  #measure() {
    for (const place of document.querySelectorAll('[data-ms]')) place.textContent = clock(Number(place.dataset.ms));
  }

  #row(sid) {
    return this.section.querySelector(`[data-sid="${sid}"]`);
  }

  /** A session that goes on in another tab is not unfinished. */
  async hideLive() {
    for (const sid of await heldElsewhere()) this.#row(sid)?.remove();
    this.#hideEmpty();
  }

  #hideEmpty() {
    this.section.hidden = this.section.querySelector('li') === null;
  }

  /** That sound is on the server now: the list may have one more entry, and lengths have changed. */
  async recovered() {
    await htmx.ajax('GET', location.href, { target: '#unfinished', select: '#unfinished', swap: 'outerHTML' });
    this.#measure();
    for (const sid of this.#asking) {
      const row = this.#row(sid);
      if (row) this.#ask(row, true);
    }
    await this.hideLive();
  }

  async #act(does, row) {
    const sid = row.dataset.sid;
    const acts = {
      'ask-discard': () => this.#ask(row, true),
      keep: () => this.#ask(row, false),
      discard: () => this.#discard(row, sid),
    };
    await acts[does]();
  }

  #ask(row, sure) {
    if (sure) this.#asking.add(row.dataset.sid);
    else this.#asking.delete(row.dataset.sid);
    const [doing, asking] = row.querySelectorAll('.does');
    doing.hidden = sure;
    asking.hidden = !sure;
    (sure ? asking : doing).querySelector('button').focus();
  }

  /** What waits on this device belongs to the recording: it goes up first. */
  async #finish(event) {
    event.preventDefault();
    const row = event.target.closest('[data-sid]');
    row.setAttribute('aria-busy', 'true');
    await this.recovery.settled(row.dataset.sid);
    event.target.submit();
  }

  /** What this device keeps is let go only when the server has put the recording into its bin. */
  async #discard(row, sid) {
    const binned = await taken(row, `/transcripts/${sid}/bin/`, { as: 'card' });
    if (!binned) {
      this.#ask(row, false);
      return;
    }
    await this.store.forget(sid).catch(() => {});
    row.remove();
    this.#hideEmpty();
  }
}

/** Post, let htmx show the answer, and tell whether the deed was done: not refused, not sent elsewhere, not offline. */
async function taken(source, path, values) {
  let done = false;
  const listen = ({ detail }) => {
    if (detail.pathInfo.requestPath === path) done = detail.successful && !detail.xhr.getResponseHeader('HX-Redirect');
  };
  document.body.addEventListener('htmx:afterRequest', listen);
  await htmx.ajax('POST', path, { source, swap: 'none', values }).catch(() => {});
  document.body.removeEventListener('htmx:afterRequest', listen);
  return done;
}
