"""The options of every contender, from its environment, named as in the rendered project."""

import os

UPSTREAM_URL = os.environ["AGGREGATOR_UPSTREAM_URL"]
FAN_OUT = int(os.environ["AGGREGATOR_FAN_OUT"])
SYNC_API_DELAY = float(os.environ["SYNC_API_DELAY"])

# Long enough for shared clients to answer every call of the largest fan-out.
CALL_TIMEOUT = 120.0

STREAM_INTERVAL = 1.0


def task_urls() -> list[str]:
    """The URLs of one fan-out, in task order."""
    return [f"{UPSTREAM_URL}?task_id={task_id}" for task_id in range(FAN_OUT)]


def debug_message(elapsed: float) -> str:
    """The `debug_message` of every aggregator; `elapsed` in seconds."""
    return f"fetch executed in {elapsed:.2f} seconds."
