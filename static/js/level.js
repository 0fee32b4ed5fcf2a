/** Whether the chosen microphone hears anything: shown for a moment, and nothing of it is kept or sent. */

import { readHeader } from './frames.js';
import { Microphone, reasonOf } from './microphone.js';
import { isSpeech, PROBLEMS } from './words.js';

const ASKING = 'Your browser asks whether memweb may listen.';
const SPEAK = 'Say something: the bar moves when you are heard. Nothing is recorded.';
const HEARD = 'You are heard.';
const NOTHING = 'Nothing is heard. Choose another microphone, or see whether this one is muted.';
/** Silence for so long is told, and so long it goes on at most. */
const SILENT_MS = 5000;
const MOST_MS = 30_000;
const $ = (id) => document.getElementById(id);

export class LevelTest {
  #microphone = null;
  #timers = [];

  /**
   * @param {string} worklet address of pcm-worklet.js
   * @param {object} of
   * @param {() => object} of.choices device and sound of the moment
   * @param {() => void} of.named called once it is open: from then on the browser tells names
   */
  constructor(worklet, { choices, named }) {
    Object.assign(this, { worklet, choices, named });
  }

  toggle() {
    return this.#microphone ? this.stop() : this.#start();
  }

  /** With what is chosen now, where it is under way. */
  async again() {
    if (!this.#microphone) return;
    await this.stop();
    await this.#start();
  }

  async stop() {
    const microphone = this.#microphone;
    this.#microphone = null;
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    this.#show(false);
    await microphone?.end();
    microphone?.close();
  }

  async #start() {
    const microphone = new Microphone(this.worklet, {
      frame: (buffer) => this.#frame(microphone, buffer),
      gone: () => this.#ends(microphone, PROBLEMS.missing[2]),
      muted: () => {},
    });
    this.#microphone = microphone;
    this.#show(true, ASKING);
    try {
      await microphone.open(this.choices());
    } catch (error) {
      return this.#ends(microphone, (PROBLEMS[reasonOf(error)] ?? PROBLEMS.failed)[2]);
    }
    if (this.#microphone !== microphone) return microphone.close();
    microphone.begin(0, 0);
    this.#show(true, SPEAK);
    this.#timers = [setTimeout(() => this.#show(true, NOTHING), SILENT_MS), setTimeout(() => this.stop(), MOST_MS)];
    return this.named();
  }

  #ends(microphone, why) {
    if (this.#microphone !== microphone) return;
    this.stop();
    $('level-told').textContent = why;
  }

  #frame(microphone, buffer) {
    if (this.#microphone !== microphone) return;
    const { peak } = readHeader(buffer);
    microphone.recycle(buffer);
    $('level').value = Math.sqrt(peak); // speech sits low on a straight scale
    if (!isSpeech(peak)) return;
    clearTimeout(this.#timers[0]);
    this.#show(true, HEARD);
  }

  #show(isOn, text = '') {
    $('level-test').textContent = isOn ? 'Stop' : 'Test';
    $('level').hidden = !isOn;
    if (!isOn) $('level').value = 0;
    if ($('level-told').textContent !== text) $('level-told').textContent = text;
  }
}
