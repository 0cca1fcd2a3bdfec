// The transports of a run's events. A transport is a function (url, receive, signal): it requests the
// URL, calls receive(name, details) for each event, and returns a promise. The promise is fulfilled
// after `done`, and rejected with a sentence for the user if the run cannot be followed. The URL has
// the number of calls (`?fan_out=N`) or, over a WebSocket, the id of a run (`?run=ID`).

// https://html.spec.whatwg.org/multipage/server-sent-events.html
function overEvents(url, receive, signal) {
  return new Promise((fulfil, reject) => {
    const source = new EventSource(url);
    const end = (settle, value) => {
      source.close();
      settle(value);
    };
    for (const name of ["start", "result", "done"]) {
      source.addEventListener(name, (event) => {
        receive(name, JSON.parse(event.data));
        if (name === "done") end(fulfil);
      });
    }
    source.addEventListener("error", () => {
      // CLOSED: the response is not a stream. Otherwise the browser is about to reconnect and start a
      // new run, but that is for the user to decide.
      const refused = source.readyState === EventSource.CLOSED;
      end(reject, new Error(refused ? "The server refused the stream." : "The connection was lost."));
    });
    signal.addEventListener("abort", () => end(reject, signal.reason), { once: true });
  });
}

// Going away, service restart: https://www.iana.org/assignments/websocket/websocket.xhtml
const STOPPING = [1001, 1012];

// https://websockets.spec.whatwg.org/
function overSocket(url, receive, signal) {
  const address = new URL(url, location.href.replace(/^http/, "ws"));
  const { run, fan_out: count } = Object.fromEntries(address.searchParams);
  address.search = "";
  return new Promise((fulfil, reject) => {
    const socket = new WebSocket(address);
    const send = (message) => socket.send(JSON.stringify(message));
    const end = (settle, value) => {
      socket.close();
      settle(value);
    };
    socket.addEventListener("open", () => {
      send(run ? { type: "follow", run } : { type: "start", fan_out: Number(count) });
    });
    socket.addEventListener("message", (event) => {
      const { type, ...details } = JSON.parse(event.data);
      if (type === "error") return end(reject, new Error(details.error.message));
      if (type === "cancelled" || type === "lost") return end(reject, new Error(details.message));
      receive(type, details);
      if (type === "done") end(fulfil);
    });
    socket.addEventListener("close", ({ code }) => {
      const stopping = STOPPING.includes(code);
      reject(new Error(stopping ? "The server is stopping." : "The connection was lost."));
    });
    signal.addEventListener("abort", () => {
      if (socket.readyState === WebSocket.OPEN) send({ type: "cancel" });
      end(reject, signal.reason);
    }, { once: true });
  });
}

// The JSON response has the outcome of each call, but no times.
async function overJSON(url, receive, signal) {
  const begun = performance.now();
  const answer = await fetchJSON(url, signal);
  if (!answer.responses) throw new Error(answer.error.message);
  const { responses, errors = 0 } = answer;
  for (const [index, response] of responses.entries()) {
    const ok = errors === 0 || !response?.error?.type;
    receive("result", { index, ok, response });
  }
  receive("done", { elapsed: (performance.now() - begun) / 1000 });
}

async function fetchJSON(url, signal) {
  try {
    const response = await fetch(url, { signal, cache: "no-store" });
    return await response.json();
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    const cut = error instanceof SyntaxError;
    throw new Error(cut ? "The response is not JSON." : "The connection was lost.", { cause: error });
  }
}

export const transports = { sse: overEvents, ws: overSocket, json: overJSON };
