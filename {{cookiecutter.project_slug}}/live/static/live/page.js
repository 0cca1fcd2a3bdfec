// The page: a form that starts and stops a run, and the board that displays it.

import { Board, seconds } from "./board.js";
import { Run } from "./run.js";
import { transports } from "./transports.js";

const CALM_MILLISECONDS = 500;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const form = document.querySelector("#controls");
const button = form.querySelector("button");
const summary = document.querySelector("#summary");
const share = document.querySelector("#share");
const board = new Board(document);
let stop;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (stop) {
    stop.abort(new Error("Stopped."));
    return;
  }
  const { value: transport, dataset: { url } } = form.querySelector("[name=transport]:checked");
  const count = form.elements.fan_out.valueAsNumber;
  const run = begin(count);
  summary.textContent = `${calls(count)} in progress.`;
  show(run, transports[transport], `${url}?fan_out=${count}`);
});

const shared = new URLSearchParams(location.search).get("run");
if (shared) {
  const { url } = form.querySelector("[value=ws]").dataset;
  summary.textContent = "Looking for the run.";
  show(begin(0), transports.ws, `${url}?run=${encodeURIComponent(shared)}`);
}

/** Show a run live. If it was started elsewhere, its first event has the number of calls. */
async function show(run, transport, url) {
  const receive = (name, details) => {
    if (name === "start" && details.count !== run.count) {
      run.end();
      run = begin(details.count);
      summary.textContent = `${calls(run.count)} in progress, started elsewhere.`;
    }
    if (details.run) offer(details.run);
    board.changed(run.receive(name, details));
  };
  stop = new AbortController();
  allow(false);
  try {
    await transport(url, receive, stop.signal);
    summary.textContent = result(run);
  } catch (error) {
    board.changed(run.end());
    const finished = `${run.finished} of ${calls(run.count)} had finished.`;
    summary.textContent = run.count ? `${error.message} ${finished}` : error.message;
  } finally {
    stop = undefined;
    allow(true);
  }
}

function begin(count) {
  const run = new Run(count);
  share.hidden = true;
  board.open(run);
  animate(run);
  return run;
}

/** Show the URL at which others can follow this run. */
function offer(id) {
  if (!share.hidden) return;
  const link = share.querySelector("a");
  link.href = `?run=${encodeURIComponent(id)}`;
  link.textContent = link.href;
  share.hidden = false;
}

function result({ count, failed, elapsed, slowest }) {
  const sentences = [`${calls(count)} in ${seconds(elapsed)}.`];
  if (slowest === undefined) sentences.push("The JSON response arrives at the end and has no per-call timings.");
  else if (count > 1) sentences.push(`The slowest took ${seconds(slowest)}.`);
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
