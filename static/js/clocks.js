/**
 * Whether the captured and the safe clock of a recording go on. Pure: it is told what came, and asked now and then.
 * Spans are measured by a steady clock, but for sleep: a machine that sleeps may stop that one with all else.
 */

import { SAMPLES_PER_MS } from './frames.js';

/** No frame came from the microphone for so long: nothing is recorded. */
export const UNHEARD_MS = 2000;

export class Clocks {
  #heardAt = 0;
  /** By the wall clock: the end of the last frame of this stretch; the last look; the last one that came late. */
  #endedAt = null;
  #lookedAt = 0;
  #wokeAt = 0;
  #missed = 0;
  #durable = 0;
  #unsafeSince = null;

  /** @param {{now: () => number, wall: () => number}} clock ms; `wall` is the one that frames carry */
  constructor(clock) {
    this.clock = clock;
  }

  /** A stretch begins. */
  begin() {
    this.#heardAt = this.clock.now();
    this.#lookedAt = this.clock.wall();
    this.#endedAt = null;
    this.#missed = 0;
  }

  /**
   * A frame came.
   * @param {{samples: number, wall: number}} header
   * @returns {{ms: number, slept: boolean} | null} what was not recorded before it, and whether this page slept meanwhile
   */
  frame({ samples, wall }) {
    // By the clock of the thread that makes frames: a page that is busy takes them late, and none of them is missing.
    const ms = this.#endedAt === null ? 0 : wall - this.#endedAt;
    const slept = this.#isLate || this.#wokeAt > this.#endedAt;
    this.#endedAt = wall + samples / SAMPLES_PER_MS;
    this.#heardAt = this.clock.now();
    this.#missed = 0;
    return ms > UNHEARD_MS ? { ms, slept } : null;
  }

  /** @param {{made: number, durable: number}} frames made here; safe on the server */
  progress({ made, durable }) {
    if (made <= durable) this.#unsafeSince = null;
    else if (this.#unsafeSince === null || durable > this.#durable) this.#unsafeSince = this.clock.now();
    this.#durable = durable;
  }

  /** The line came or went: the server has not been silent on this one yet. */
  line() {
    this.#unsafeSince = null;
  }

  /**
   * To be asked a few times a second while it is recorded.
   * @returns {{stalled: boolean, unsafeMs: number}} whether no frames come; since when none that was made became safe
   */
  look() {
    const now = this.clock.now();
    if (this.#isLate) {
      this.#wokeAt = this.clock.wall();
      if (this.#unsafeSince !== null) this.#unsafeSince = now;
    }
    this.#lookedAt = this.clock.wall();
    // A timer that is late comes before the frames that wait: they have their turn until the next look.
    this.#missed = now - this.#heardAt > UNHEARD_MS ? this.#missed + 1 : 0;
    return { stalled: this.#missed > 1, unsafeMs: this.#unsafeSince === null ? 0 : now - this.#unsafeSince };
  }

  get #isLate() {
    return this.clock.wall() - this.#lookedAt > UNHEARD_MS;
  }
}
