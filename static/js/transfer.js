// @ts-check
/** One file on its way to the server, in pieces, over lost connections and server restarts. */
import { Speed, fingerprint, percent } from './progress.js';

const PIECE = 4 * 1024 * 1024;
const SOON_MS = 500;
const LATE_MS = 10_000;
const LONGEST_MS = 30_000;
const SIGNED_OUT = 'You are signed out. Once you are signed in, drop the file again: it continues where it stopped.';

/** Loaded when it is first needed: most pages never are. */
const library = async () => {
  await import('./vendor/tus.min.js');
  return /** @type {any} */ (window).tus;
};

/** Tells `change` whenever it stands otherwise. States: waiting, uploading, paused, away, failed, done, removed. */
export class Transfer extends EventTarget {
  state = 'waiting';
  reason = '';
  /** What helps once it has failed: 'retry', 'sign in', or nothing. */
  cure = '';
  /** Whether the server was told of it; where that failed, its turn tells why. */
  announced = false;
  sent = 0;
  speed = new Speed();
  #upload = null;
  #tries = 0;
  #timer = 0;
  #options;
  #making = null;

  /** @param {File} file @param {{endpoint: string, token: string, url?: string, piece?: number}} options */
  constructor(file, options) {
    super();
    this.file = file;
    this.#options = options;
  }

  get percent() {
    return percent(this.sent, this.file.size);
  }

  /** The server's id of it, once it has one. */
  get id() {
    return this.#upload?.url?.match(/\/([0-9a-f-]{36})\/$/)?.[1] ?? '';
  }

  /** Tell the server of it before its turn: a reload forgets none, and the list there has the order of this one. */
  async announce() {
    if (this.state !== 'removed') await this.#made().catch(() => {});
    this.announced = true;
  }

  async start() {
    if (this.state === 'removed' || this.state === 'done') return;
    this.#is('uploading');
    try {
      await this.#made();
    } catch {
      this.#away(); // the library itself could not be fetched
      return;
    }
    this.speed.restart(this.sent, performance.now());
    if (this.state === 'uploading') this.#upload.start();
  }

  #made() {
    this.#making ??= this.#make().catch((error) => {
      this.#making = null;
      throw error;
    });
    return this.#making;
  }

  async #make() {
    const tus = await library();
    const key = fingerprint(this.file);
    const upload = new tus.Upload(this.file, {
      endpoint: this.#options.endpoint,
      headers: { 'X-CSRFToken': this.#options.token },
      chunkSize: this.#options.piece || PIECE,
      retryDelays: null,
      fingerprint: async () => key,
      removeFingerprintOnSuccess: true,
      metadata: { filename: this.file.name, fingerprint: key },
      onProgress: (sent) => this.#progress(sent),
      onChunkComplete: () => { this.#tries = 0; },
      onSuccess: () => this.#is('done'),
      onError: (error) => this.#failed(error),
    });
    const [former] = this.#options.url ? [] : await upload.findPreviousUploads();
    if (former) upload.resumeFromPreviousUpload(former);
    else upload.url = this.#options.url ?? (await this.#create(upload.options.metadata));
    this.#upload = upload;
  }

  /** The address the server has for it now; null where it has none. */
  async #create(metadata) {
    const { endpoint, token } = this.#options;
    const headers = {
      'Tus-Resumable': '1.0.0',
      'Upload-Length': String(this.file.size),
      'Upload-Metadata': Object.entries(metadata).map(([name, value]) => `${name} ${base64(value)}`).join(),
      'X-CSRFToken': token,
    };
    const signal = AbortSignal.timeout(LONGEST_MS); // the others wait for this
    const answer = await fetch(endpoint, { method: 'POST', headers, signal }).catch(() => null);
    return answer?.status === 201 ? new URL(answer.headers.get('Location') ?? '', answer.url).href : null;
  }

  pause() {
    clearTimeout(this.#timer);
    this.#is('paused');
    this.#upload?.abort();
  }

  /** Go on once it is its turn. */
  wait() {
    this.#is('waiting');
  }

  resume() {
    clearTimeout(this.#timer);
    this.#tries = 0;
    return this.start();
  }

  /** Let it go, here and on the server. */
  async remove() {
    clearTimeout(this.#timer);
    this.#is('removed');
    await this.#making?.catch(() => {});
    await this.#upload?.abort(true).catch(() => {}); // what cannot be removed now is swept later
  }

  #progress(sent) {
    if (this.state !== 'uploading') return;
    this.sent = sent;
    this.speed.at(sent, performance.now());
    this.#tell();
  }

  #failed(error) {
    if (this.state !== 'uploading') return;
    const answer = error.originalResponse;
    const status = answer?.getStatus() ?? 0;
    if (status === 401 || status === 403) this.#give(SIGNED_OUT, 'sign in');
    else if (status >= 400 && status < 500 && ![404, 409, 410, 423, 429, 460].includes(status)) this.#give(answer.getBody());
    else if (status === 507 || (status === 429 && answer.getHeader('Tus-Resumable'))) this.#give(answer.getBody(), 'retry');
    else this.#away();
  }

  #give(reason, cure = '') {
    this.reason = reason || 'The server does not take this file.';
    this.cure = cure;
    this.#is('failed');
  }

  #away() {
    this.#is('away');
    const wait = Math.min(SOON_MS * 2 ** this.#tries, LATE_MS);
    this.#tries += 1;
    this.#timer = setTimeout(() => this.start(), wait);
  }

  #is(state) {
    this.state = state;
    this.#tell();
  }

  #tell() {
    this.dispatchEvent(new Event('change'));
  }
}

/** @param {string} text */
const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
