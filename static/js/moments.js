// @ts-check
/**
 * A record that was opened from a search: it stands at the moment that was found and will play from a little before;
 * N and Shift+N go to the next and the former moment of the same search.
 */
import { Choices } from './choices.js';
import { focusOf } from './shortcuts.js';

const BEFORE = 2000;

class Moments extends HTMLElement {
  #over = new AbortController();
  /** @type {number[]} */ #moments = [];
  #at = 0;

  connectedCallback() {
    this.#over = new AbortController();
    const until = { signal: this.#over.signal };
    this.#moments = (this.dataset.moments ?? '').split(' ').filter(Boolean).map(Number);
    const asked = Number(this.dataset.at);
    this.#at = Math.max(this.#moments.findIndex((moment) => moment >= asked), 0);
    if (!this.#moments.length) this.#moments = [asked];
    this.singleKeys = new Choices({ singleKeys: document.body.dataset.singleKeys }).all.singleKeys;
    document.addEventListener('keydown', this.#key, until);
    document.addEventListener('htmx:afterSettle', this.#show, until);
    this.addEventListener('click', this.#press, until);
    // The player is of another module: it must have its text before it is told where to go.
    requestAnimationFrame(() => this.#go(0));
  }

  disconnectedCallback() {
    this.#over.abort();
  }

  /** @param {number} step */
  #go(step) {
    const count = this.#moments.length;
    this.#at = (this.#at + step + count) % count;
    const told = this.querySelector('[data-place]');
    if (told) told.textContent = `${this.#at + 1} of ${count}`;
    location.hash = `#t=${Math.max(this.#moments[this.#at] - BEFORE, 0) / 1000}`;
    this.seeking = true;
    this.#show();
  }

  /** Bring the moment into sight, once its part of the text is there. */
  #show = () => {
    if (!this.seeking) return;
    const moment = this.#moments[this.#at];
    const segments = /** @type {HTMLElement[]} */ ([...document.querySelectorAll('mem-text .s')]);
    const found = segments.find((segment) => Number(segment.dataset.end) >= moment);
    if (!found) {
      document.getElementById('onward')?.dispatchEvent(new Event('mem-more'));
      return;
    }
    this.seeking = false;
    document.querySelector('.s.found')?.classList.remove('found');
    found.classList.add('found');
    found.scrollIntoView({ block: 'center', behavior: 'instant' });
  };

  /** @param {Event} event */
  #press = (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest('[data-step]'));
    if (button) this.#go(Number(button.dataset.step));
  };

  /** @param {KeyboardEvent} event */
  #key = (event) => {
    const focus = focusOf(document.activeElement);
    const single = this.singleKeys && !event.ctrlKey && !event.metaKey && !event.altKey;
    if (!single || event.isComposing || event.key.toLowerCase() !== 'n' || focus.field || focus.dialog) return;
    event.preventDefault();
    this.#go(event.shiftKey ? -1 : 1);
  };
}

customElements.define('mem-moments', Moments);
