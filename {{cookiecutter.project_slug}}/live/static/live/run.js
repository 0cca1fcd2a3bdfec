// The state of a run, updated by its events. Times are in seconds since its start.

export class Run {
  #begun = performance.now();
  #elapsed;
  #next;
  #timed = true;
  #complete = false;

  constructor(count) {
    this.count = count;
    this.finished = 0;
    this.failed = 0;
    this.failures = new Map();
    this.calls = Array.from({ length: count }, (_, index) => ({ index, state: "waiting" }));
    this.#begin(count);
  }

  /** Apply an event and return the calls that it changed. */
  receive(name, details) {
    if (name === "start") return this.#start(details);
    if (name === "result") return this.#result(details);
    this.#complete = true;
    return this.end(details.elapsed);
  }

  /** End the run, or stop following it. Return the calls that got no response. */
  end(elapsed = this.elapsed) {
    this.#elapsed = elapsed;
    const lost = this.calls.filter(({ state }) => state === "running" || state === "waiting");
    for (const call of lost) {
      call.state = "lost";
      call.started ??= elapsed;
    }
    return lost;
  }

  get over() {
    return this.#elapsed !== undefined;
  }

  get elapsed() {
    return this.#elapsed ?? (performance.now() - this.#begun) / 1000;
  }

  /** Whether it ended before all calls had finished, so that their total time is unknown. */
  get stopped() {
    return this.over && !this.#complete;
  }

  /** The time of the slowest finished call; undefined if there is none, or if no times are sent. */
  get slowest() {
    const times = this.calls.map(({ elapsed }) => elapsed).filter((elapsed) => elapsed !== undefined);
    return times.length ? Math.max(...times) : undefined;
  }

  #start({ concurrency }) {
    this.#begun = performance.now();
    for (const call of this.calls) call.state = "waiting";
    this.#begin(concurrency);
    return this.calls;
  }

  // Calls start in the order of their index: when one ends, the next starts.
  #begin(concurrency) {
    this.#next = concurrency;
    for (const call of this.calls.slice(0, concurrency)) {
      Object.assign(call, { state: "running", started: 0 });
    }
  }

  #result({ index, ok, started = 0, elapsed, response }) {
    const call = this.calls[index];
    Object.assign(call, { state: ok ? "ok" : "failed", started, elapsed });
    this.#timed &&= elapsed !== undefined;
    // Someone who follows late computes the start of the run from its results.
    if (this.#timed) this.#begun = Math.min(this.#begun, performance.now() - (started + elapsed) * 1000);
    if (!ok) {
      call.error = response.error;
      this.failed += 1;
      this.failures.set(call.error.message, (this.failures.get(call.error.message) ?? 0) + 1);
    }
    this.finished += 1;
    const next = this.calls[this.#next];
    if (!next) return [call];
    this.#next += 1;
    if (next.state !== "waiting") return [call];
    Object.assign(next, { state: "running", started: this.elapsed });
    return [call, next];
  }
}
