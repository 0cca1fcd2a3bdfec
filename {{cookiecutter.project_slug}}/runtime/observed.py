"""What operators see of each request: put around an application, for any protocol.

All of it is plain ASGI middleware on the event loop.
"""

from runtime.access import log_access
from runtime.correlation import Correlation
from runtime.exchange import Observation
from runtime.protocols import Application


def observed(app: Application) -> Application:
    """Return `app` with an id, a trace and an access log."""
    return Correlation(Observation(app, log_access))
