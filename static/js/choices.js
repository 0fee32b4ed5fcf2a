/** What the person chose on this page: kept in this browser, on top of the settings of the account. */

const KEY = 'memweb.dictation';

export class Choices {
  #kept;

  /** @param {DOMStringMap} settings the element's data: the account's own choices */
  constructor(settings) {
    const yes = (value) => value === 'yes';
    const { gain, noise, echo, singleKeys } = settings;
    this.account = { device: '', gain: yes(gain), noise: yes(noise), echo: yes(echo), singleKeys: yes(singleKeys) };
    try {
      this.#kept = JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      this.#kept = {};
    }
  }

  get all() {
    return { ...this.account, ...this.#kept };
  }

  keep(name, value) {
    this.#kept[name] = value;
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing: the choice holds for this visit.
    }
  }

  /** Let a select show the kept choice, or the settled one of a session that goes on, and keep what is chosen in it. */
  bind(select, name, changed = () => {}) {
    const value = select.dataset.settled ?? this.#kept[name];
    if ([...select.options].some((option) => option.value === value)) select.value = value;
    this.account[name] ??= select.value;
    select.addEventListener('change', () => {
      this.keep(name, select.value);
      changed();
    });
  }
}
