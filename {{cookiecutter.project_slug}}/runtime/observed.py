"""What operators see of each request: put around an application, for any protocol.

All of it is plain ASGI middleware on the event loop.
"""

from django.conf import settings

from runtime.access import log_access
from runtime.correlation import Correlation
from runtime.exchange import Observation
from runtime.protocols import Application
from runtime.shedding import LoadShedding


def observed(app: Application) -> Application:
    """Return `app` with an id, a trace and an access log, and with load shedding."""
    if settings.MAX_REQUESTS_IN_WORK:
        app = LoadShedding(app, settings.MAX_REQUESTS_IN_WORK)
    return Correlation(Observation(app, log_access))
