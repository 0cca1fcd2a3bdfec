"""What a library would hold: how an async Django project runs, serves, calls and works."""

__version__ = "1.0.0"
