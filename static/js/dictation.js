/** <mem-dictation>: joins the recorder, what earlier visits left, and the page. */

import { Choices } from './choices.js';
import { keepAwake, saveAs } from './device.js';
import { framesOf, SAMPLES_PER_MS, wavOf } from './frames.js';
import { LevelTest } from './level.js';
import { listMicrophones } from './microphone.js';
import { Recorder } from './recorder.js';
import { Recovery } from './recovery.js';
import { commandSign, focusOf, HELD_MS, meaning } from './shortcuts.js';
import { NoStore, Store } from './store.js';
import { Unfinished } from './unfinished.js';
import { View } from './view.js';
import { clock, span } from './words.js';

const $ = (id) => document.getElementById(id);

class Page {
  /** When the space bar went down to begin or go on, by the event's clock; null where it did neither. */
  #downAt = null;

  /** @param {HTMLElement} element @param {object} store */
  constructor(element, store) {
    this.choices = new Choices(element.dataset);
    this.view = new View((action) => this.act(action));
    this.store = store;
    this.recovery = new Recovery(store, element.dataset.person, {
      recovered: (ms, url, parted) => this.#recovered(ms, url, parted),
      stuck: (sid, ms) => this.#stuck(sid, ms),
    });
    this.unfinished = new Unfinished(element, { recovery: this.recovery, store });
    this.recorder = new Recorder({
      store,
      worklet: element.dataset.worklet,
      person: element.dataset.person,
      sid: element.dataset.session,
      samples: Number(element.dataset.duration) * SAMPLES_PER_MS,
      pauseAfter: Number(element.dataset.pauseAfter),
      choices: () => this.choices.all,
      settled: (sid) => this.recovery.settled(sid),
      on: {
        change: () => this.#show(),
        level: (peak) => this.view.level(peak),
        message: (message) => this.#said(message),
        parted: (title) => this.#parted(title),
        ended: (url) => location.assign(`${url}#title`),
      },
    });
    this.recorder.title = $('title').value;
    this.level = new LevelTest(element.dataset.worklet, { choices: () => this.choices.all, named: () => this.microphones() });
  }

  #show() {
    const { facts } = this.recorder;
    this.view.render(facts);
    // Who listens, and for which language, is settled with the first word.
    $('language').disabled = $('provider').disabled = facts.phase !== 'idle' || this.recorder.sid !== '';
    keepAwake(facts.phase === 'recording');
  }

  #said(message) {
    if (message.t === 'partial') this.view.partial(message);
    else if (message.t === 'html') this.view.html(message.html);
  }

  #recovered(ms, url, parted) {
    const own = 'Another device went on with that dictation: this is a recording of its own.';
    this.view.notice(parted ? `Recovered ${span(ms)}. ${own}` : `Recovered ${span(ms)}.`, url);
    this.unfinished.recovered();
  }

  #parted(title) {
    $('title').value = title;
    this.view.notice('Another device went on with this dictation. What you say here is a recording of its own.');
  }

  /** What nobody will take is the person's to keep or to let go. */
  #stuck(sid, ms) {
    this.view.stuck(`${span(ms)} kept here cannot be handed over.`, {
      download: async () => saveAs(wavOf(await framesOf(this.store, sid)), 'recording.wav'),
      discard: () => this.store.forget(sid),
    });
  }

  /** Do what a button, a key or a note asks for. */
  act(action) {
    const { recorder } = this;
    const acts = {
      record: () => (recorder.isActive || recorder.isOpening ? recorder.finish() : this.#start()),
      toggle: () => (recorder.isActive ? this.#togglePause() : this.#start()),
      pause: () => this.#togglePause(),
      finish: () => recorder.finish(),
      start: () => this.#start(),
      retry: () => recorder.retry(),
      reopen: () => recorder.reopen(),
      'forget-gap': () => recorder.forgetGap(),
      'keep-on': () => recorder.keepOn(),
      undo: () => recorder.undo(),
      redo: () => recorder.redo(),
      mark: () => this.#mark(),
      ask: () => recorder.isActive && this.#ask(),
      keys: () => $('keys').showModal(),
      help: () => this.#help(),
      options: () => $('options').showPopover(),
      copy: () => this.#copy(),
      download: async () => saveAs(await recorder.unsentAudio(), 'recording.wav'),
      settings: () => open('/settings/', '_blank', 'noopener'),
      'sign-in': () => open('/sign-in/', '_blank', 'noopener'),
      anew: () => location.assign('/'),
    };
    return acts[action]?.();
  }

  async #start() {
    await this.level.stop(); // it may hold the microphone
    await this.recorder.start();
    this.microphones();
  }

  #togglePause() {
    return this.recorder.togglePause();
  }

  async #mark() {
    const at = await this.recorder.mark();
    if (at >= 0) this.view.notice(`Marker at ${clock(at)}.`);
  }

  async #copy() {
    await navigator.clipboard.writeText(this.view.text);
    this.view.notice('Copied what is settled so far.');
  }

  #ask() {
    $('ask').returnValue = ''; // Esc leaves it as it was, and would give the last answer again
    $('ask').showModal();
  }

  #help() {
    const code = this.recorder.facts.problem?.code;
    for (const part of document.querySelectorAll('[data-help]')) part.hidden = part.dataset.help !== code;
    $('address').textContent = location.host;
    $('help').showModal();
  }

  async microphones() {
    this.view.microphones(await listMicrophones().catch(() => []), this.choices.all.device);
  }

  async begin() {
    this.#bind();
    this.#show();
    await this.microphones();
    this.choices.bind($('device'), 'device', () => {
      this.level.again();
      return this.recorder.chooseMicrophone();
    });
    await this.unfinished.hideLive();
    await this.recovery.run();
  }

  #bind() {
    this.choices.bind($('language'), 'language');
    this.choices.bind($('provider'), 'provider');
    const keys = $('single-keys');
    keys.checked = this.choices.all.singleKeys;
    keys.addEventListener('change', () => this.choices.keep('singleKeys', keys.checked));
    $('title').addEventListener('change', () => this.recorder.rename($('title').value));
    $('audience').addEventListener('click', () => {
      $('options').hidePopover();
      $('audience').href = `/transcripts/${this.recorder.sid}/shares/`; // read when the click has come up to the document
    });
    $('audience').addEventListener('mem-nosheet', () => this.view.notice('Your first words are not on the server yet. Try again in a moment.'));
    $('ask').addEventListener('close', () => this.act($('ask').returnValue));
    $('level-test').addEventListener('click', () => this.level.toggle());
    $('options').addEventListener('toggle', (event) => event.newState === 'closed' && this.level.stop());
    const buttons = { start: 'record', pause: 'pause', undo: 'undo', mark: 'mark', copy: 'copy' };
    for (const [id, action] of Object.entries(buttons)) $(id).addEventListener('click', () => this.act(action));
    // A pointer leaves the focus where it was, so that the space bar pauses instead of pressing the button again.
    for (const id of ['start', 'pause']) $(id).addEventListener('mousedown', (event) => event.preventDefault());
    for (const button of document.querySelectorAll('[data-opens]')) {
      button.addEventListener('click', () => ($('options').hidePopover(), this.act(button.dataset.opens)));
    }
    for (const sign of document.querySelectorAll('.mod')) sign.textContent = sign.textContent.replace('Ctrl', commandSign());
  }

  key(event) {
    if (event.repeat && event.key === ' ' && this.#downAt !== null) event.preventDefault(); // it would scroll the page
    const action = meaning(event, { ...focusOf(document.activeElement), singleKeys: this.choices.all.singleKeys });
    if (!action) return;
    event.preventDefault();
    const begins = event.key === ' ' && this.recorder.facts.phase !== 'recording';
    this.#downAt = begins ? event.timeStamp : null;
    this.act(action);
  }

  /** A space bar that was held to talk is let go. */
  keyUp(event) {
    if (event.key !== ' ' || this.#downAt === null) return;
    const heldMs = event.timeStamp - this.#downAt;
    this.#downAt = null;
    if (heldMs >= HELD_MS) this.recorder.pause();
  }

  devicesChanged() {
    this.microphones();
    this.recorder.devicesChanged();
  }

  /** Leaving is asked about only while something here is not on the server. */
  leaving(event) {
    if (this.recorder.facts.unsent > 0) event.preventDefault();
  }
}

class Dictation extends HTMLElement {
  #listeners = [];

  async connectedCallback() {
    const store = await Store.open().catch(() => new NoStore());
    if (!this.isConnected) return;
    const page = new Page(this, store);
    this.#listen(document, 'keydown', (event) => page.key(event));
    this.#listen(document, 'keyup', (event) => page.keyUp(event));
    this.#listen(window, 'beforeunload', (event) => page.leaving(event));
    this.#listen(window, 'online', () => page.recorder.online());
    this.#listen(window, 'focus', () => page.recorder.online());
    if (navigator.mediaDevices) this.#listen(navigator.mediaDevices, 'devicechange', () => page.devicesChanged());
    await page.begin();
    document.body.dataset.ready = '';
  }

  disconnectedCallback() {
    for (const [target, kind, listener] of this.#listeners.splice(0)) target.removeEventListener(kind, listener);
  }

  #listen(target, kind, listener) {
    target.addEventListener(kind, listener);
    this.#listeners.push([target, kind, listener]);
  }
}

customElements.define('mem-dictation', Dictation);
