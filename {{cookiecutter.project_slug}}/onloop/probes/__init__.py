"""Liveness, readiness and metrics of a process: `include("onloop.probes.urls")` serves them."""

from onloop.conf import PROBES

__all__ = ["PROBES"]
