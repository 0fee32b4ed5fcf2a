/** The list of sessions that were not finished: finish, download, or discard in two steps. */

export class Unfinished {
  /** @param {HTMLElement} section @param {{recovery: object, store: object}} parts */
  constructor(section, { recovery, store }) {
    Object.assign(this, { section, recovery, store });
    section.addEventListener('click', (event) => {
      const button = event.target.closest('[data-does]');
      if (button) this.#act(button.dataset.does, button.closest('[data-sid]'));
    });
  }

  #row(sid) {
    return this.section.querySelector(`[data-sid="${sid}"]`);
  }

  /** Sound of that session waits on this device for the line. */
  waits(sid, ms) {
    const row = this.#row(sid);
    if (row) row.dataset.waits = ms;
  }

  /** That sound is on the server now: the list may have one more entry, and lengths have changed. */
  recovered() {
    htmx.ajax('GET', location.href, { target: '#unfinished', select: '#unfinished', swap: 'outerHTML' });
  }

  async #act(does, row) {
    const sid = row.dataset.sid;
    const acts = {
      finish: () => this.#finish(row, sid),
      download: () => this.#download(sid),
      'ask-discard': () => this.#ask(row, true),
      keep: () => this.#ask(row, false),
      discard: () => this.#discard(row, sid),
    };
    await acts[does]();
  }

  #ask(row, sure) {
    const [doing, asking] = row.querySelectorAll('.does');
    doing.hidden = sure;
    asking.hidden = !sure;
    (sure ? asking : doing).querySelector('button').focus();
  }

  async #finish(row, sid) {
    row.setAttribute('aria-busy', 'true');
    const url = await this.recovery.finish(sid);
    if (url) location.assign(url);
    else row.removeAttribute('aria-busy');
  }

  #download(sid) {
    location.assign(`/dictation/${sid}/audio/`);
  }

  async #discard(row, sid) {
    await htmx.ajax('POST', `/transcripts/${sid}/bin/`, { swap: 'none', values: { as: 'card' } });
    await this.store.forget(sid).catch(() => {});
    row.remove();
    this.section.hidden = this.section.querySelector('li') === null;
  }
}
