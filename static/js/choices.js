/** What the person chose on this page: kept in this browser, on top of the settings of the account. */

const KEY = 'memweb.dictation';

export class Choices {
  /** By name: the value, and what the account had in its place then. */
  #kept;
  /** What a session that goes on has, whatever is chosen. */
  #settled = {};

  /** @param {DOMStringMap} settings the element's data: the account's own choices */
  constructor(settings) {
    const yes = (value) => value === 'yes';
    const { gain, noise, echo, singleKeys } = settings;
    this.account = { device: '', gain: yes(gain), noise: yes(noise), echo: yes(echo), singleKeys: yes(singleKeys) };
    try {
      this.#kept = { ...JSON.parse(localStorage.getItem(KEY)) };
    } catch {
      this.#kept = {};
    }
  }

  get all() {
    const kept = Object.keys(this.account).map((name) => [name, this.#chosen(name)]);
    return { ...this.account, ...Object.fromEntries(kept.filter(([, value]) => value !== undefined)), ...this.#settled };
  }

  keep(name, value) {
    this.#kept[name] = { value, over: this.account[name] };
    this.#save();
  }

  /** Let a select show the kept choice, or the settled one of a session that goes on, and keep what is chosen in it. */
  bind(select, name, changed = () => {}) {
    const options = [...select.options];
    this.account[name] ??= (options.find((option) => option.defaultSelected) ?? options[0])?.value;
    if (select.dataset.settled !== undefined) this.#settled[name] = select.dataset.settled;
    const value = this.#settled[name] ?? this.#chosen(name);
    if (options.some((option) => option.value === value)) select.value = value;
    select.addEventListener('change', () => {
      delete this.#settled[name];
      this.keep(name, select.value);
      changed();
    });
  }

  /** What was chosen here; nothing once the account has something else than it had then: what is newer counts. */
  #chosen(name) {
    const kept = this.#kept[name];
    if (kept === undefined) return undefined;
    if (kept?.over === this.account[name]) return kept.value;
    delete this.#kept[name];
    this.#save();
    return undefined;
  }

  #save() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#kept));
    } catch {
      // A browser that keeps nothing: the choice holds for this visit.
    }
  }
}
