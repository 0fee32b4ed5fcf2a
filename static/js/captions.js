// @ts-check
/** <mem-captions>: shows what is being said, as one socket tells it, and comes back by itself. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;
const GONE = 4404;
const STATES = { waiting: 'Nothing is being said yet.', live: '', over: 'This has ended.' };
const LOST = 'Connecting again';

class Captions extends HTMLElement {
  /** @type {WebSocket | null} */ #socket = null;
  #wait = FIRST_WAIT;
  #timer = 0;

  connectedCallback() {
    this.said = /** @type {HTMLElement} */ (this.querySelector('.said'));
    this.now = /** @type {HTMLElement} */ (this.querySelector('.now'));
    this.how = /** @type {HTMLElement} */ (this.querySelector('.how'));
    if (this.dataset.size) this.style.setProperty('--size', `${this.dataset.size}px`);
    this.#open();
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = null;
  }

  #open() {
    const address = `${location.origin.replace(/^http/, 'ws')}/ws${location.pathname}`;
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onmessage = (event) => this.#told(JSON.parse(event.data));
    socket.onclose = (event) => {
      if (this.#socket !== socket || event.code === GONE) return;
      this.#say(LOST);
      this.#timer = setTimeout(() => this.#open(), this.#wait * (0.5 + Math.random()));
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    };
  }

  /** @param {{t: string, state: keyof STATES, lines: [string, string, string][], now: string}} message */
  #told(message) {
    if (message.t === 'gone') return location.reload(); // the page says what has become of it
    this.#wait = FIRST_WAIT;
    this.#lines(message.lines.slice(-Number(this.dataset.lines || 12)));
    if (this.now && this.now.textContent !== message.now) this.now.textContent = message.now;
    this.#say(STATES[message.state] ?? '');
  }

  /** Lines that stay are left alone: whoever listens hears only what is new. @param {[string, string, string][]} lines */
  #lines(lines) {
    const said = /** @type {HTMLElement} */ (this.said);
    const there = new Map([.../** @type {HTMLElement[]} */ ([...said.children])].map((one) => [one.dataset.key, one]));
    const keys = new Set(lines.map(([key]) => key));
    for (const [key, one] of there) if (!keys.has(key ?? '')) one.remove();
    let before = '';
    for (const [key, who, text] of lines) {
      const words = who && who !== before ? [who, text] : ['', text];
      before = who;
      const one = there.get(key) ?? said.appendChild(line(key));
      if (one.dataset.said !== words.join('\n')) write(one, words[0], words[1]);
    }
  }

  /** @param {string} words */
  #say(words) {
    if (this.how && this.how.textContent !== words) this.how.textContent = words;
  }
}

/** @param {string} key */
function line(key) {
  const one = document.createElement('p');
  one.dir = 'auto';
  one.dataset.key = key;
  return one;
}

/** @param {HTMLElement} one @param {string} who @param {string} text */
function write(one, who, text) {
  one.dataset.said = [who, text].join('\n');
  if (!who) return one.replaceChildren(text);
  const name = document.createElement('b');
  name.textContent = `${who}: `;
  one.replaceChildren(name, text);
}

customElements.define('mem-captions', Captions);
