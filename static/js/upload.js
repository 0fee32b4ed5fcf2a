// @ts-check
/** Every page takes files: dropped, pasted, chosen. The upload page shows each; any other page, how it goes in one line. */
import { filesIn, filesPasted } from './dropped.js';
import { enter, leave } from './focus.js';
import { tell } from './notices.js';
import { fingerprint, percent, sum } from './progress.js';
import { Row } from './row.js';
import { Transfer } from './transfer.js';

const AT_ONCE = 3;
const BUSY = ['waiting', 'uploading', 'away'];

class Upload extends HTMLElement {
  /** @type {Transfer[]} */
  #transfers = [];
  #depth = 0;
  #announcing = false;
  #ending = new AbortController();
  /** Whether the row that is being replaced has the focus. */
  #focused = false;

  connectedCallback() {
    const options = { signal: this.#ending.signal };
    const on = (target, name, does) => target.addEventListener(name, does, options);
    on(document, 'dragenter', (event) => this.#over(event, 1));
    on(document, 'dragleave', (event) => this.#over(event, -1));
    on(document, 'dragover', (event) => this.#carries(event) && event.preventDefault());
    on(document, 'drop', this.#drop);
    on(document, 'paste', this.#paste);
    on(document, 'change', this.#choose);
    on(document, 'click', this.#all);
    on(document, 'htmx:beforeSwap', this.#swapping);
    on(document, 'htmx:afterSwap', this.#swapped);
    on(document, 'htmx:afterOnLoad', this.#cleared);
    on(window, 'online', () => this.#transfers.filter(({ state }) => state === 'away').forEach((one) => one.resume()));
    on(window, 'beforeunload', (event) => this.#transfers.some(({ state }) => BUSY.includes(state)) && event.preventDefault());
    document.querySelector('.add')?.classList.add('ready');
  }

  disconnectedCallback() {
    this.#ending.abort();
    this.#transfers.forEach((one) => one.pause());
  }

  /** @param {File[]} files */
  add(files) {
    const queue = document.getElementById('queue');
    for (const file of files) {
      const key = fingerprint(file);
      if (this.#transfers.some((one) => fingerprint(one.file) === key && BUSY.concat('paused').includes(one.state))) continue;
      const known = [...(queue?.querySelectorAll('li[data-url]') ?? [])].find((row) => row.dataset.fingerprint === key);
      const { endpoint = '', piece } = this.dataset;
      const transfer = new Transfer(file, { endpoint, token: token(), url: known?.dataset.url, piece: Number(piece) });
      this.#transfers.push(transfer);
      if (queue) new Row(transfer, queue, known);
      transfer.addEventListener('change', () => this.#turn(transfer));
    }
    this.#announce();
    this.#turn();
  }

  /** One after the other, in the order of the list. It takes one of the places of those that are sent. */
  async #announce() {
    if (this.#announcing) return;
    this.#announcing = true;
    for (let next; (next = this.#transfers.find(({ announced }) => !announced));) {
      await next.announce();
      this.#turn();
    }
    this.#announcing = false;
    this.#turn();
  }

  /** Start what may start, and say on other pages how it goes. */
  #turn = (transfer) => {
    const going = this.#transfers.filter(({ state }) => state === 'uploading' || state === 'away').length;
    const ready = this.#transfers.filter(({ state, announced }) => state === 'waiting' && announced);
    const next = ready.slice(0, Math.max(AT_ONCE - going - Number(this.#announcing), 0));
    if (!transfer || transfer.state !== 'uploading') next.forEach((one) => one.start());
    if (document.getElementById('queue')) total(this.#transfers.map(({ state }) => state));
    else tray(this.#transfers, this.dataset.page);
  };

  /** Those that wait are paused before those that are sent, else each would begin in the place of one before it. */
  #all = ({ target }) => {
    const what = target.closest?.('[data-all]')?.dataset.all;
    const of = (...states) => this.#transfers.filter(({ state }) => states.includes(state));
    if (what === 'pause') for (const one of [...of('waiting'), ...of('uploading', 'away')]) one.pause();
    if (what === 'resume') for (const one of of('paused')) one.wait();
  };

  #swapping = ({ target, detail }) => {
    if (!target.matches('#queue > li')) return;
    if (!detail.serverResponse) leave(target);
    this.#focused = target.contains(document.activeElement);
  };

  /** What had the focus may have no like, found by its id, in the row as the server tells it. */
  #swapped = ({ target }) => {
    if (!this.#focused || !target.matches?.('#queue > li')) return;
    this.#focused = false;
    if (!target.contains(document.activeElement)) enter(target);
  };

  /** The button that had the focus goes with the last it could clear. */
  #cleared = ({ target }) => {
    if (target.id === 'clearing' && !target.checkVisibility()) enter(null);
  };

  #paste = (event) => {
    const files = filesPasted(event);
    if (files.length) this.add(files);
  };

  #choose = (event) => {
    if (event.target.id !== 'files') return;
    this.add([...event.target.files]);
    event.target.value = '';
  };

  #carries = (event) => event.dataTransfer?.types.includes('Files');

  #over(event, by) {
    if (!this.#carries(event)) return;
    event.preventDefault();
    this.#depth += by;
    const count = [...event.dataTransfer.items].filter(({ kind }) => kind === 'file').length;
    this.#show(this.#depth > 0, count);
  }

  #show(shown, count = 0) {
    const over = /** @type {HTMLElement} */ (this.querySelector('.dropping'));
    if (over.hidden === shown) over.hidden = !shown;
    if (!shown || !count) return;
    over.querySelector('[data-let-go]').textContent = `Let go to add ${count} recording${count === 1 ? '' : 's'}`;
    const asked = document.querySelector('#options [data-asked]');
    if (asked) over.querySelector('[data-asked]').textContent = asked.textContent;
  }

  #drop = async (event) => {
    if (!this.#carries(event)) return;
    event.preventDefault();
    this.#depth = 0;
    this.#show(false);
    const { files, left } = await filesIn(event.dataTransfer);
    this.add(files);
    if (left) tell('left-out', `Of what else is in the folder, memweb reads nothing: ${left} file${left === 1 ? '' : 's'} left out.`);
  };
}

/** The page's token; hx-headers carries it for htmx too. */
const token = () => JSON.parse(document.body.getAttribute('hx-headers') ?? '{}')['X-CSRFToken'];

/** What is said above a list of many, and what can be done with all of it. @param {string[]} states */
function total(states) {
  const mine = states.filter((state) => state !== 'removed');
  const all = /** @type {HTMLElement} */ (document.getElementById('all'));
  const part = (name) => /** @type {HTMLElement} */ (all.querySelector(name));
  write(part('[data-sum]'), mine.length ? sum(mine) : '');
  const [pause, resume] = [part('[data-all=pause]'), part('[data-all=resume]')];
  const pressed = [pause, resume].find((button) => button === document.activeElement);
  pause.hidden = !mine.some((state) => BUSY.includes(state));
  resume.hidden = !pause.hidden || !mine.includes('paused');
  if (pressed?.hidden) enter(all);
}

/** One notice for all of them. @param {Transfer[]} transfers @param {string} page */
function tray(transfers, page) {
  const mine = transfers.filter(({ state }) => state !== 'removed');
  const whole = mine.reduce((sum, { file }) => sum + file.size, 0);
  const sent = mine.reduce((sum, one) => sum + (one.state === 'done' ? one.file.size : one.sent), 0);
  const open = mine.filter(({ state }) => BUSY.includes(state)).length;
  const many = `${mine.length} recording${mine.length === 1 ? '' : 's'}`;
  const failed = mine.find(({ state }) => state === 'failed');
  let says = `${many} uploaded, on the way to text.`;
  if (open) says = `Uploading ${many}. Stay on this page until it is done.`;
  else if (failed) says = `${failed.file.name}: ${failed.reason}`;
  const [told, so] = notice(page).querySelectorAll('p, [data-so]');
  write(told, says);
  write(so, `${percent(sent, whole)} %`);
  so.toggleAttribute('hidden', !open);
  notice(page).querySelector('a').hidden = Boolean(open); // it leads away from here
}

/** Nothing where it says so already: whatever is written in a notice is read out. */
function write(part, words) {
  if (part.textContent !== words) part.textContent = words;
}

function notice(page) {
  const there = document.getElementById('uploading');
  if (there) return there;
  const made = document.createElement('mem-notice');
  made.id = 'uploading';
  made.className = 'notice';
  const link = Object.assign(document.createElement('a'), { href: page, className: 'link', textContent: 'Upload' });
  const close = Object.assign(document.createElement('button'), { type: 'button', className: 'link', textContent: 'Dismiss' });
  close.dataset.dismiss = '';
  // How far it is can be seen, and is not read out at each step.
  const so = Object.assign(document.createElement('span'), { className: 'num' });
  so.dataset.so = '';
  so.setAttribute('aria-hidden', 'true');
  made.append(document.createElement('p'), so, link, close);
  document.getElementById('notices')?.append(made);
  return made;
}

customElements.define('mem-upload', Upload);
