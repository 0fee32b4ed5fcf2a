// @ts-check
/** Corrections on their way to the server. What could not be sent is kept in this browser until it was. */
import { Answer } from './paragraphs.js';

const KEY = 'memweb.draft';
const AGAIN_MS = 3000;

/** The server cannot be reached: nothing is wrong with what was sent. */
export class Away extends Error {}

/** Asking again does not help: the page has to be loaded again, by way of the sign-in. */
export class SignedOut extends Away {
  message = 'You are signed out. Load this page again to sign in';
}

/** Sends corrections of one version of one record. */
export class Server {
  /** @param {string} base the record's address @param {string} version its number */
  constructor(base, version) {
    this.base = base;
    this.version = version;
    this.token = JSON.parse(document.body.getAttribute('hx-headers') ?? '{}')['X-CSRFToken'] ?? '';
  }

  /**
   * @param {string} where below the record's address
   * @param {Record<string, string | number | string[]>} fields
   * @returns {Promise<{status: number, answer: Answer}>} status 200, 409 (changed meanwhile) or 422 (refused)
   */
  async post(where, fields) {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) body.append(name, String(one));
    const [{ status }, html] = await this.#ask(`${where}?version=${this.version}`, {
      method: 'POST', body, keepalive: body.toString().length < 60000,
      headers: { 'X-CSRFToken': this.token, Accept: 'text/x-paragraphs' },
    });
    if (![200, 409, 422].includes(status)) throw new Away();
    return { status, answer: new Answer(html) };
  }

  /**
   * What changes the page as a whole: it is shown anew.
   * @param {string} where @param {Record<string, string>} fields
   */
  async reload(where, fields) {
    const [body, headers] = [new URLSearchParams(fields), { 'X-CSRFToken': this.token }];
    // Not followed: the page that is loaded next shows what the server has to say.
    const [{ type }] = await this.#ask(`${where}?version=${this.version}`, { method: 'POST', body, headers, redirect: 'manual' });
    if (type !== 'opaqueredirect') throw new Away();
    location.reload();
  }

  /** Where words stand: [segment key, start]. @param {string} words */
  async find(words) {
    const [{ ok }, found] = await this.#ask(`find/?version=${this.version}&q=${encodeURIComponent(words)}`);
    if (!ok) throw new Away();
    return /** @type {{places: [string, number][], more: boolean}} */ (JSON.parse(found));
  }

  /**
   * Raises Away where nothing answers, SignedOut where what answers is the sign-in, or does not know this page any more.
   * @param {string} where below the record's address @param {RequestInit} [how]
   * @returns {Promise<[Response, string]>} the answer and what it says
   */
  async #ask(where, how) {
    let response;
    let said;
    try {
      response = await fetch(`${this.base}${where}`, how);
      said = await response.text();
    } catch {
      throw new Away();
    }
    if (response.redirected || response.status === 403) throw new SignedOut();
    return [response, said];
  }
}

/** Texts typed here that the server does not have yet, by the first segment's key. */
export class Drafts {
  /** @param {Server} server */
  constructor(server) {
    this.server = server;
    this.name = `${KEY}.${server.base}.${server.version}`;
  }

  /** What was left in the other versions of this record: another may be shown since it was typed. @returns {Drafts[]} */
  get elsewhere() {
    const record = `${KEY}.${this.server.base}.`;
    try {
      return Object.keys(localStorage).filter((name) => name.startsWith(record) && name !== this.name)
        .map((name) => new Drafts(new Server(this.server.base, name.slice(record.length))));
    } catch {
      return [];
    }
  }

  /** @returns {Record<string, {segments: string[], text: string}>} */
  get all() {
    try {
      return JSON.parse(localStorage.getItem(this.name) ?? '{}');
    } catch {
      return {};
    }
  }

  /** @param {string} key @param {{segments: string[], text: string} | null} draft */
  keep(key, draft) {
    const { [key]: _, ...others } = this.all;
    const all = draft ? { ...others, [key]: draft } : others;
    try {
      if (Object.keys(all).length) localStorage.setItem(this.name, JSON.stringify(all));
      else localStorage.removeItem(this.name);
    } catch {
      // A browser that keeps nothing: the text is in the page until it is closed.
    }
  }
}

/** Calls again in a while, and at once when the network is back. What it returns calls it off. @param {() => void} work */
export function later(work) {
  const timer = setTimeout(done, AGAIN_MS);
  addEventListener('online', done);
  return off;
  function off() {
    clearTimeout(timer);
    removeEventListener('online', done);
  }
  function done() {
    off();
    work();
  }
}
