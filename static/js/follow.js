/** Keeps the newest words in sight until the reader scrolls away; then offers the way back. */

const NEAR_PX = 96;

export class Follow {
  #following = true;
  #target = 0;

  /** @param {HTMLElement} pill the "Jump to latest" button */
  constructor(pill) {
    this.pill = pill;
    pill.addEventListener('click', () => this.resume());
    addEventListener('scroll', () => this.#scrolled(), { passive: true });
  }

  get #distance() {
    const page = document.documentElement;
    return page.scrollHeight - innerHeight - scrollY;
  }

  /** New words stand on the page. */
  grew() {
    if (this.#following) this.#toEnd();
    else this.pill.hidden = false;
  }

  resume() {
    this.#following = true;
    this.pill.hidden = true;
    this.#toEnd();
  }

  #toEnd() {
    const page = document.documentElement;
    this.#target = Math.max(0, page.scrollHeight - innerHeight);
    scrollTo({ top: this.#target, behavior: 'instant' });
  }

  #scrolled() {
    if (this.#distance < NEAR_PX) {
      this.#following = true;
      this.pill.hidden = true;
    } else if (scrollY < this.#target - NEAR_PX) {
      this.#following = false;
    }
  }
}
