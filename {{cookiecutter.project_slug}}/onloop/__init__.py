"""Django on the event loop: its handler and server, calls to other services, streams and jobs."""

__version__ = "1.0.0"
