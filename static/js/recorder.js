/**
 * One dictation of this page: microphone, store and uplink put together. Knows no DOM: it keeps `facts`, from which
 * words.js makes the state, and tells `on.change()` when they changed, `on.message(m)` what the server said for the
 * page, and `on.level(peak)` for each frame.
 */

import { Clocks } from './clocks.js';
import { readHeader, SAMPLES_PER_MS, wavOf } from './frames.js';
import { clock, holdSession, socketOf } from './line.js';
import { Microphone, reasonOf } from './microphone.js';
import { Uplink } from './uplink.js';
import { FRAME_MS, FRAMES_PER_MINUTE, isSpeech, roomFor, uuid7 } from './words.js';

const SIGNED_OUT = {
  code: 'signed_out',
  message: 'You are signed out. Recording goes on and is kept on this device.',
  unkept: 'You are signed out. Recording goes on, held by this page alone: please leave it open.',
  action: 'sign-in',
};
const UNSENT = {
  code: 'unsent',
  message: 'Half an hour waits unsent on this device. It is kept. Please look after the line.',
  unkept: 'Half an hour waits unsent in this page alone. Please leave it open and look after the line.',
};
const MUTED = { code: 'muted', message: 'The system has muted the microphone.' };
/** What a server says of its full disk, where nothing but this page has the sound. */
const FULL_UNKEPT =
  "This server's disk takes no more. This page alone holds the recording: please leave it open. Free some space and it goes on by itself.";
/** Below this a frame is silence: about -46 dB. */
const QUIET_PEAK = 0.005;
/** A session that goes on opens at once where all is well: after this the person is told what it waits for. */
const LATE_MS = 3000;
const LOOK_MS = 500;
const GIVEN_UP = new Error('given up');
const REFUSALS = { 4401: 'signed_out', 4403: 'foreign', 4404: 'foreign', 4409: 'taken', 4413: 'refused' };
/** Problems that may be over once the line is tried again. */
const OF_THE_LINE = new Set(['signed_out', 'taken', 'refused', 'hole']);
/** Said just before the socket is closed with a code that says the same. */
const TOLD_BY_CLOSING = new Set(['signed_out', 'not_yours', 'taken_over']);

/** What is counted within a stretch. */
const ANEW = { quietFrames: 0, restFrames: 0, restsInMs: null, restedMs: 0, voicedMs: 0, stalled: false, gap: null, unsafeMs: 0 };

const nothingYet = () => ({
  phase: 'idle', problem: null, trouble: null, device: '', line: false, everUp: false, server: '', note: '', engine: '',
  awaits: '', late: false, cost: null, capturedMs: 0, safeMs: 0, transcribedMs: 0, lagMs: 0, heard: false, unsent: 0, keeps: true,
  voicedFrom: 0, ...ANEW,
});

export class Recorder {
  #microphone;
  #uplink = null;
  #release = null;
  #clocks = new Clocks(clock);
  #stopWatch = () => {};
  #greeting = null;
  #giveUp = () => {};
  #renamed = false;
  #turn = Promise.resolve();

  /**
   * @param {object} parts
   * @param {() => object} parts.choices device, language, provider and sound of the moment
   * @param {string} parts.person whose sessions these are, as the page was told
   * @param {string} parts.sid of a session that goes on; empty for a new one
   * @param {number} parts.samples that a session that goes on has, as far as the page was told
   * @param {number} parts.pauseAfter minutes without speech after which it pauses by itself; 0: never
   * @param {(sid: string) => Promise<void>} parts.settled resolves once nothing else hands that session over
   */
  constructor({ store, worklet, choices, person, sid, samples, pauseAfter = 0, settled, on }) {
    Object.assign(this, { store, choices, person, sid, samples, pauseAfter, settled, on });
    this.facts = nothingYet();
    this.title = '';
    this.#microphone = new Microphone(worklet, {
      frame: (buffer) => this.#frame(buffer),
      gone: () => this.#unplugged(),
      muted: (muted) => this.#muted(muted),
    });
  }

  get session() {
    return this.#uplink?.session ?? null;
  }

  get isActive() {
    return this.facts.phase === 'recording' || this.facts.phase === 'paused';
  }

  /** A session that goes on waits for the server, and nothing is recorded yet. */
  get isOpening() {
    return this.facts.phase === 'opening';
  }

  #change(facts) {
    Object.assign(this.facts, facts);
    this.on.change();
  }

  /** One thing after the other: a stretch has handed over its last frame before the next takes its number. */
  #inTurn(action) {
    const done = this.#turn.then(action);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Ask for the microphone and record. The first words are kept before any line is up. */
  start() {
    return this.#inTurn(() => this.#start());
  }

  async #start() {
    if (this.isActive) return this.facts.problem ? this.#reopen() : undefined;
    if (this.facts.phase !== 'idle') return undefined;
    this.#change({ phase: 'asking', problem: null, trouble: null });
    try {
      await this.#microphone.open(this.choices());
      await this.#attach();
    } catch (error) {
      this.#microphone.close();
      this.#detach();
      const problem = error === GIVEN_UP ? null : (error.problem ?? { code: reasonOf(error) });
      return this.#change({ phase: 'idle', problem });
    }
    return this.#begin();
  }

  #begin() {
    const { seq, first } = this.#uplink.place;
    this.#microphone.begin(seq, first);
    this.#clocks.begin();
    this.#change({ phase: 'recording', problem: null, device: this.#microphone.label, ...ANEW });
    this.#watch();
  }

  /** Look after the clocks for as long as it is recorded. */
  #watch() {
    this.#stopWatch();
    this.#stopWatch = clock.after(LOOK_MS, () => {
      if (this.facts.phase !== 'recording') return;
      this.#change(this.#clocks.look());
      if (this.facts.stalled) this.#microphone.wake();
      this.#watch();
    });
  }

  async #attach() {
    if (this.#uplink) return;
    if (this.sid !== '') return this.#goOn();
    this.sid = uuid7(Date.now(), crypto.getRandomValues(new Uint8Array(10)));
    return this.#hold(null);
  }

  /** Where a session goes on, only the server knows the number of its next frame: until it said so nothing is recorded. */
  async #goOn() {
    const givenUp = new Promise((_, reject) => (this.#giveUp = () => reject(GIVEN_UP)));
    givenUp.catch(() => {}); // between two waits nobody hears of it, and the next one will
    const late = setTimeout(() => this.#change({ late: true }), LATE_MS);
    this.#change({ phase: 'opening', awaits: 'earlier', late: false });
    try {
      await Promise.race([this.settled(this.sid), givenUp]);
      this.#change({ awaits: 'server' });
      await this.#hold(await this.store.session(this.sid));
      if (this.#renamed) this.rename(this.title);
      await Promise.race([new Promise((resolve, reject) => (this.#greeting = { resolve, reject })), givenUp]);
    } finally {
      clearTimeout(late);
    }
  }

  /** @param {object | null} known what this browser keeps of the session */
  async #hold(known) {
    this.#release = await holdSession(this.sid);
    if (!this.#release) throw Object.assign(new Error('taken'), { problem: { code: 'taken' } });
    const { language, provider } = this.choices();
    const fresh = { sid: this.sid, started: Date.now(), made: 0, samples: this.samples };
    const { rate } = this.#microphone;
    this.#connect({ ...fresh, ...known, person: this.person, title: this.title, language, provider, rate, finishing: false });
  }

  /** Let go of a session that did not open. */
  #detach() {
    this.#uplink?.close();
    this.#release?.();
    this.#uplink = this.#release = this.#greeting = null;
  }

  #connect(session) {
    const { store } = this;
    const on = (kind, data) => this.#hear(kind, data);
    this.#uplink = new Uplink(session, { store, clock, on, connect: socketOf });
    this.#uplink.start();
  }

  /** End the stretch, hand everything over, and let the server finish. What did not open yet is given up. */
  finish() {
    if (this.isOpening) this.#giveUp();
    return this.#inTurn(async () => {
      if (!this.isActive) return;
      this.#change({ phase: 'finishing', problem: null });
      await this.#microphone.end();
      this.#microphone.close();
      await this.#uplink.finish();
    });
  }

  /** Pause leaves no gap in the recording: time goes on only while it is heard. */
  togglePause() {
    if (!this.isActive) return undefined; // in its turn it would pause what only then begins
    return this.#inTurn(() => this.#togglePause());
  }

  /** Pause what is recorded by then, also what is only about to begin. */
  pause() {
    return this.#inTurn(() => (this.facts.phase === 'recording' ? this.#togglePause() : undefined));
  }

  async #togglePause() {
    if (this.facts.phase === 'recording') {
      this.#change({ phase: 'paused' });
      await this.#microphone.end();
      this.#uplink.pause();
    } else if (this.facts.phase === 'paused') {
      this.#uplink.resume();
      if (this.#microphone.isOpen) this.#begin();
      else await this.#reopen();
    }
  }

  /** Open the microphone anew within the same session: another device, or the same one back. */
  reopen() {
    return this.#inTurn(() => this.#reopen());
  }

  async #reopen() {
    if (!this.isActive) return;
    await this.#microphone.end();
    this.#microphone.close();
    try {
      await this.#microphone.open(this.choices());
    } catch (error) {
      this.#change({ problem: { code: this.facts.problem?.code === 'unplugged' ? 'unplugged' : reasonOf(error) } });
      return;
    }
    this.#uplink.resume();
    this.#begin();
  }

  /** Another microphone was chosen: used at once while recording, else when recording goes on. */
  async chooseMicrophone() {
    if (this.facts.phase === 'recording' || this.facts.problem) await this.reopen();
    else if (this.facts.phase === 'paused') this.#microphone.close();
  }

  /** Devices came or went: one that was missed may be back. */
  devicesChanged() {
    if (this.facts.problem?.code === 'unplugged') this.reopen();
  }

  /** Somebody is there: it does not pause by itself for now. */
  keepOn() {
    this.#change({ restFrames: 0, restsInMs: null });
  }

  /** What was not recorded is known to the person. */
  forgetGap() {
    this.#change({ gap: null });
  }

  undo() {
    this.#uplink?.say({ t: 'undo' });
  }

  redo() {
    this.#uplink?.say({ t: 'redo' });
  }

  /** Resolves once this browser keeps it. @returns {Promise<number>} where the marker stands, ms; -1 where nothing is recorded */
  async mark() {
    if (!this.#uplink || this.isOpening) return -1;
    const at = Math.round(this.facts.capturedMs);
    await this.#uplink.mark(at);
    return at;
  }

  rename(title) {
    this.title = title;
    this.#renamed = true;
    if (!this.#uplink) return;
    this.session.title = title;
    this.#uplink.say({ t: 'title', title });
  }

  /** The network or the person is back: no reason to wait for the back-off. */
  online() {
    if (this.#uplink && this.facts.problem?.code !== 'taken') this.#uplink.retry();
  }

  /** Try the line again now. */
  retry() {
    const { problem } = this.facts;
    this.#change({ trouble: null, problem: OF_THE_LINE.has(problem?.code) ? null : problem });
    if (!this.#uplink) return this.start();
    if (this.#uplink.up) this.#uplink.say({ t: 'continue' });
    else this.#uplink.retry();
    return undefined;
  }

  /** What is not on the server yet, as a WAV file. @returns {Promise<Blob>} */
  async unsentAudio() {
    return wavOf((await this.#uplink?.unsent()) ?? []);
  }

  #frame(buffer) {
    this.#uplink.frame(buffer); // which may give it another place
    const header = readHeader(buffer);
    const { samples, first, peak } = header;
    const { facts } = this;
    facts.capturedMs = (first + samples) / SAMPLES_PER_MS;
    if (!header.last) this.#goesOn(header);
    const isVoiced = peak >= QUIET_PEAK;
    facts.quietFrames = isVoiced ? 0 : facts.quietFrames + 1;
    facts.heard ||= isVoiced;
    if (isVoiced && facts.server === 'listening') this.#voiced(first, samples);
    if (this.pauseAfter > 0) this.#rest(peak);
    this.on.level(peak);
    this.#guardRoom();
    this.on.change();
  }

  /** The last frame of a stretch is left out: it comes when one is ended, also where nothing was heard for long. */
  #goesOn(header) {
    const { facts } = this;
    facts.stalled = false;
    facts.gap = this.#clocks.frame(header) ?? facts.gap;
  }

  /** Sound that could be speech: how much of it there was since words came. */
  #voiced(first, samples) {
    const { facts } = this;
    if (facts.voicedMs === 0) facts.voicedFrom = first / SAMPLES_PER_MS;
    facts.voicedMs += samples / SAMPLES_PER_MS;
  }

  /** Pauses by itself what nobody speaks to; not before it was said for a minute. */
  #rest(peak) {
    const { facts } = this;
    const most = this.pauseAfter * FRAMES_PER_MINUTE;
    facts.restFrames = isSpeech(peak) ? 0 : facts.restFrames + 1;
    const left = most - facts.restFrames;
    facts.restsInMs = left <= FRAMES_PER_MINUTE ? left * FRAME_MS : null;
    if (left > 0) return;
    facts.restedMs = most * FRAME_MS;
    this.pause();
  }

  async #guardRoom() {
    const { unsent } = this.facts;
    const looks = unsent > 0 && unsent % FRAMES_PER_MINUTE === 0;
    const room = roomFor(unsent, looks ? await navigator.storage?.estimate?.() : {});
    if (room === 'warn') this.#change({ trouble: this.#keptOr(UNSENT) });
    else if (room && this.facts.phase === 'recording') await this.#standDown({ code: room });
  }

  /** Say that sound is kept only where it is. */
  #keptOr({ code, message, unkept, action }) {
    return { code, message: this.facts.keeps ? message : unkept, action };
  }

  /** Stop listening; the session stays, and what was said with it. */
  #standDown(problem) {
    this.#change({ problem, phase: this.facts.phase === 'recording' ? 'paused' : this.facts.phase });
    return this.#inTurn(async () => {
      await this.#microphone.end();
      this.#microphone.close();
    });
  }

  #muted(muted) {
    if (muted) this.#change({ trouble: MUTED });
    else if (this.facts.trouble === MUTED) this.#change({ trouble: null });
  }

  #unplugged() {
    if (this.facts.phase !== 'recording') return;
    this.#uplink.pause();
    this.#change({ phase: 'paused', problem: { code: 'unplugged' } });
    this.reopen();
  }

  #hear(kind, data) {
    const hear = {
      line: () => this.#lined(data.up),
      progress: () => this.#progressed(data),
      message: () => this.#message(data),
      recycle: () => this.#microphone.recycle(data),
      kept: () => this.facts.keeps && this.#change({ keeps: false }),
      hole: () => this.#standDown({ code: 'hole' }),
      refused: () => this.#refused(data.code),
      drained: () => {},
      parted: () => this.#parted(),
    };
    hear[kind]();
  }

  /** Another device went on with the session: what is said here goes on as one of its own. */
  async #parted() {
    const { sid, samples, title } = this.session;
    const release = this.#release;
    Object.assign(this, { sid, title });
    this.#change({ capturedMs: samples / SAMPLES_PER_MS, safeMs: 0, transcribedMs: 0 });
    this.on.parted(title);
    this.#release = await holdSession(sid);
    release?.();
  }

  #progressed({ made, durable }) {
    this.#clocks.progress({ made, durable });
    this.#change({ unsent: made - durable });
  }

  #lined(up) {
    const trouble = up && this.facts.trouble?.code === SIGNED_OUT.code ? null : this.facts.trouble;
    this.#clocks.line();
    this.#change({ line: up, everUp: this.facts.everUp || up, server: '', trouble, voicedMs: 0, unsafeMs: 0 });
  }

  #refused(code) {
    const problem = { code: REFUSALS[code] };
    if (this.#greeting) return this.#greeting.reject(Object.assign(new Error(problem.code), { problem }));
    // Signed out, the words go on being kept here; a session that is elsewhere must not go on here too.
    if (problem.code === 'signed_out' && this.isActive) return this.#change({ trouble: this.#keptOr(SIGNED_OUT) });
    return this.#standDown(problem);
  }

  #message(message) {
    const take = {
      resume: () => this.#resumed(),
      ack: () => this.#change({ safeMs: Math.max(this.facts.safeMs, message.safe_ms) }),
      state: () => this.#said(message),
      partial: () => message.text && this.#change({ voicedMs: 0, restFrames: 0 }),
      html: () => this.#change({ voicedMs: 0, restFrames: 0 }),
      error: () => this.#trouble(message),
      ended: () => this.#ended(message),
    };
    take[message.t]?.();
    this.on.message(message);
  }

  #resumed() {
    this.#greeting?.resolve();
    this.#greeting = null;
  }

  #said({ state: server, transcribed_ms: transcribedMs, lag_ms: lagMs, cost, engine, note }) {
    const { facts } = this;
    // The gateway answers again: what was said about it is over. A full disk says itself when it is.
    const better = server !== facts.server && (server === 'listening' || server === 'catching_up');
    const trouble = better && facts.trouble?.code !== 'disk_full' ? null : facts.trouble;
    const voicedMs = server === 'listening' ? facts.voicedMs : 0;
    this.#change({ server, transcribedMs, lagMs, cost, engine, note: note ?? '', trouble, voicedMs });
  }

  #trouble({ code, message, action, fatal }) {
    if (TOLD_BY_CLOSING.has(code)) return undefined;
    const words = code === 'disk_full' && message && !this.facts.keeps ? FULL_UNKEPT : message;
    const problem = message ? { code, message: words, action } : null;
    return fatal ? this.#standDown(problem) : this.#change({ trouble: problem });
  }

  async #ended({ url }) {
    // Ended from elsewhere, some frames may still be here only: the next visit hands them over.
    if (this.facts.unsent === 0) await this.store.forget(this.sid).catch(() => {});
    this.#change({ phase: 'ended', unsent: 0 });
    this.#release?.();
    this.on.ended(url);
  }
}
