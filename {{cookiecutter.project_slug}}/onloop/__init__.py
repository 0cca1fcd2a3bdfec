"""Django on the event loop: handler, server, calls to other services, streams and jobs."""

__version__ = "1.0.0"
# The Django series that the copied code and private names in asgi/ have been checked against.
TESTED_DJANGO = ("6.1",)
