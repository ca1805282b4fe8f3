/** Repeats a piece of work while the page can be seen. */

import { Problem, Unreachable } from "./api.js";

const LONGEST_GAP_MS = 30_000;

export class Poller {
  #work;
  #everyMs;
  #onState;
  #failures = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #isRunning = false;
  #isStopped = false;
  #dueMs = 0;

  /** Set while the API does not answer, or refuses what it is asked. */
  /** @type {{since: number, message: string, isRefusal: boolean} | null} */
  trouble = null;
  isPaused = false;

  /**
   * @param {() => Promise<void>} work
   * @param {{everyMs: number, onState: () => void}} options
   */
  constructor(work, { everyMs, onState }) {
    this.#work = work;
    this.#everyMs = everyMs;
    this.#onState = onState;
    document.addEventListener("visibilitychange", this.#onVisibility);
  }

  start() {
    this.#schedule(0);
    return this;
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.#onVisibility);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.isPaused = isPaused;
    this.#schedule(isPaused ? Infinity : 0);
    this.#onState();
  }

  /** Works at once, or right after what is under way. */
  now() {
    this.#schedule(0);
  }

  #onVisibility = () => {
    this.#schedule(Math.max(0, this.#dueMs - Date.now()));
  };

  /** @param {number} inMs */
  #schedule(inMs) {
    clearTimeout(this.#timer);
    this.#dueMs = Date.now() + inMs;
    if (this.#isStopped || this.isPaused || document.hidden || this.#isRunning) return;
    if (inMs > 0) this.#timer = setTimeout(this.#run, inMs);
    else void this.#run();
  }

  #run = async () => {
    this.#isRunning = true;
    this.#dueMs = Infinity;
    let gapMs = this.#everyMs;
    try {
      await this.#work();
      this.#failures = 0;
      this.trouble = null;
    } catch (error) {
      if (!(error instanceof Unreachable || error instanceof Problem)) throw error;
      this.#failures += 1;
      this.trouble = {
        since: this.trouble?.since ?? Date.now(),
        message: error.message,
        isRefusal: error instanceof Problem && !error.isTransient,
      };
      const retryAfterMs = error instanceof Problem ? error.retryAfterS * 1000 : 0;
      gapMs = Math.min(LONGEST_GAP_MS, Math.max(gapMs * 2 ** (this.#failures - 1), retryAfterMs));
    } finally {
      this.#isRunning = false;
      if (!this.#isStopped) {
        this.#onState();
        // Somebody may have asked for another round meanwhile.
        this.#schedule(this.#dueMs < Infinity ? 0 : gapMs);
      }
    }
  };
}
