// @ts-check
/** Two versions side by side: from difference to difference. */

class Compare extends HTMLElement {
  #over = new AbortController();
  #at = -1;

  connectedCallback() {
    const until = { signal: this.#over.signal };
    this.addEventListener('click', this.#press, until);
    this.addEventListener('change', this.#only, until);
  }

  disconnectedCallback() {
    this.#over.abort();
  }

  /** @param {MouseEvent} event */
  #press = (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-step]'));
    if (button) this.#step(Number(button.dataset.step));
  };

  /** @param {number} by */
  #step(by) {
    const rows = /** @type {HTMLElement[]} */ ([...this.querySelectorAll('.row:not(.alike)')]);
    if (!rows.length) return;
    this.#at = this.#at < 0 && by < 0 ? rows.length - 1 : (this.#at + by + rows.length) % rows.length;
    rows[this.#at].focus({ preventScroll: true });
    rows[this.#at].scrollIntoView({ block: 'center' });
    /** @type {HTMLElement} */ (this.querySelector('[data-count]')).textContent = `${this.#at + 1} of ${rows.length}`;
  }

  /** @param {Event} event */
  #only = (event) => {
    const target = /** @type {HTMLInputElement} */ (event.target);
    if (target.matches('[data-only]')) this.classList.toggle('differing', target.checked);
  };
}

customElements.define('mem-compare', Compare);
