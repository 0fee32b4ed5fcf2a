/** A notice goes when it is dismissed. It never goes by itself: some people read slowly. */
class Notice extends HTMLElement {
  #dismiss = (event) => {
    if (event.target.closest('[data-dismiss]')) this.remove();
  };

  connectedCallback() {
    this.addEventListener('click', this.#dismiss);
  }

  disconnectedCallback() {
    this.removeEventListener('click', this.#dismiss);
  }
}

customElements.define('mem-notice', Notice);
