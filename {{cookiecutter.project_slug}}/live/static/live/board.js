// Draws a run: its progress, the slowest call next to the total time, and one bar per call. Positions and lengths are
// custom properties that are set here; board.css turns them into boxes.

const SPANS = [0.1, 0.2, 0.4, 0.8, 1, 1.2, 1.6, 2, 3, 4, 6, 8, 10, 12, 16, 20, 30, 40, 60, 120];
const TICKS = 4;
const CROWDED = 30;
const WORDS = { waiting: "waiting", running: "running", ok: "answered", failed: "failed", lost: "lost" };

export const seconds = (value) => `${value.toFixed(2)} s`;

export class Board {
  constructor(root) {
    const find = (selector) => root.querySelector(selector);
    this.progress = find("#progress");
    this.count = find("#count");
    this.slowest = find("#comparison .slowest");
    this.total = find("#comparison .total");
    this.failures = find("#failures");
    this.axis = find("#axis");
    this.list = find("#calls");
  }

  /** Show a new run instead of the last one. */
  open(run) {
    this.run = run;
    this.rows = run.calls.map(row);
    this.list.replaceChildren(...this.rows);
    this.list.classList.toggle("crowded", run.count > CROWDED);
    this.progress.max = run.count;
    this.changed(run.calls);
  }

  /** Draw the calls whose state has changed. */
  changed(calls) {
    for (const call of calls) this.#drawCall(call);
    const { finished, count, failures } = this.run;
    this.progress.value = finished;
    this.count.textContent = `${finished} of ${count}`;
    this.failures.replaceChildren(
      ...Array.from(failures, ([message, times]) => element("li", "", `${times} × ${message}`)),
    );
    this.tick();
  }

  /** Draw the parts that change only with time. */
  tick() {
    const { elapsed, slowest, stopped } = this.run;
    const span = SPANS.find((longest) => longest > elapsed) ?? elapsed;
    this.list.style.setProperty("--span", span);
    this.list.style.setProperty("--now", elapsed);
    if (span !== this.span) this.#drawAxis(span);
    drawTime(this.total, stopped ? undefined : elapsed, elapsed);
    drawTime(this.slowest, slowest, elapsed);
  }

  #drawCall({ index, state, started, elapsed, error }) {
    const item = this.rows[index];
    const timed = elapsed !== undefined;
    item.dataset.state = state;
    item.style.setProperty("--started", started ?? 0);
    item.style.setProperty("--elapsed", timed ? elapsed : this.run.elapsed - (started ?? 0));
    item.querySelector(".time").textContent = timed ? seconds(elapsed) : WORDS[state];
    item.querySelector(".more").textContent = error ? `failed: ${error.message}` : timed ? WORDS[state] : "";
  }

  #drawAxis(span) {
    this.span = span;
    const ticks = Array.from({ length: TICKS + 1 }, (_, number) => {
      return element("span", "", `${Number(((span * number) / TICKS).toPrecision(3))} s`);
    });
    this.axis.replaceChildren(...ticks);
  }
}

function row({ index }) {
  const name = element("span", "name", `task ${index}`);
  const track = element("span", "track", element("span", "bar"));
  return element("li", "", name, track, element("span", "time"), element("span", "more"));
}

function element(tag, className, ...content) {
  const created = document.createElement(tag);
  created.className = className;
  created.append(...content);
  return created;
}

function drawTime(element, time, longest) {
  element.style.setProperty("--share", time === undefined ? 0 : time / Math.max(longest, 0.001));
  element.querySelector(".time").textContent = time === undefined ? "–" : seconds(time);
}
