/** How long to wait before the next try: longer each time, and never the same for many pages at once. */

export class Backoff {
  #failures = 0;
  readonly #least: number;
  readonly #most: number;
  readonly #random: () => number;

  /** least and most: in milliseconds. */
  constructor(least: number, most: number, random: () => number = Math.random) {
    this.#least = least;
    this.#most = most;
    this.#random = random;
  }

  /** Return the next delay in milliseconds: a random one between half of the longest and the longest. */
  next(): number {
    const longest = Math.min(this.#most, this.#least * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 20);
    return longest * (0.5 + 0.5 * this.#random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
