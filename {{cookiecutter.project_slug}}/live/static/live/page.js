// The page: a form that starts a run and stops it, and the board that shows it.

import { Board, seconds } from "./board.js";
import { Run } from "./run.js";
import { transports } from "./transports.js";

const CALM_MILLISECONDS = 500;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const form = document.querySelector("#controls");
const button = form.querySelector("button");
const summary = document.querySelector("#summary");
const board = new Board(document);
let stop;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) stop.abort(new Error("Stopped."));
  else follow(form.elements.fan_out.valueAsNumber, form.querySelector("[name=transport]:checked"));
});

async function follow(count, { value: transport, dataset: { url } }) {
  const run = new Run(count);
  stop = new AbortController();
  allow(false);
  board.open(run);
  summary.textContent = `${calls(count)} on the way.`;
  animate(run);
  try {
    const receive = (name, details) => board.changed(run.receive(name, details));
    await transports[transport](`${url}?fan_out=${count}`, receive, stop.signal);
    summary.textContent = told(run);
  } catch (error) {
    board.changed(run.end());
    summary.textContent = `${error.message} ${run.finished} of ${calls(count)} had finished.`;
  } finally {
    stop = undefined;
    allow(true);
  }
}

function told({ count, failed, elapsed, sum }) {
  const sentences = [`${calls(count)} in ${seconds(elapsed)}.`];
  if (sum > elapsed) {
    const times = Number((sum / elapsed).toPrecision(2));
    sentences.push(`One after the other: ${seconds(sum)}, ${times} times as long.`);
  }
  if (sum === undefined) sentences.push("One JSON comes at the end, and says nothing of single times.");
  if (failed) sentences.push(`${failed} failed.`);
  return sentences.join(" ");
}

function calls(count) {
  return count === 1 ? "1 call" : `${count} calls`;
}

function allow(starting) {
  for (const input of form.querySelectorAll("input")) input.disabled = !starting;
  button.textContent = starting ? "Start" : "Stop";
}

function animate(run) {
  if (run.over) return;
  board.tick();
  if (calm.matches) setTimeout(animate, CALM_MILLISECONDS, run);
  else requestAnimationFrame(() => animate(run));
}
