"""Django on the event loop: its handler and server, calls to other services, streams and jobs."""

__version__ = "1.0.0"
# The series of Django whose code the copies and private names in asgi/ were compared with.
TESTED_DJANGO = ("6.1",)
