"""`manage.py runserver` on uvicorn: async views, streams and the lifespan as in production."""

import os
from typing import Any

import uvicorn
from django.conf import settings
from django.core.management.commands import runserver

from onloop import conf
from onloop.server import OPTIONS, application
from onloop.server.open_files import raise_open_files_limit


class Command(runserver.Command):
    """Django's command line, with uvicorn, its reloader and the ASGI application behind it."""

    help = "Starts the ASGI application on uvicorn, for development."
    default_port = str(conf.settings.PORT)
    addr: str
    port: str

    def run(self, **options: Any) -> None:
        """Serve the project until Ctrl-C.

        The ASGI lifespan checks the project. With the reloader, that runs in the child process: it
        reports an error, and the reloader waits for the next change.
        """
        self.check_migrations()
        # The reloader's child reads the settings again; without it they are already loaded.
        os.environ["PORT"] = self.port
        settings.PORT = int(self.port)
        reloader: dict[str, Any] = {
            "reload": True,
            "reload_dirs": [str(settings.BASE_DIR)],
            "reload_includes": ["*.html"],
            "reload_excludes": [".venv"],  # A pattern, so the folder need not exist.
        }
        development: dict[str, Any] = {
            "host": self.addr,
            "port": int(self.port),
            "timeout_graceful_shutdown": 3,
            "log_config": settings.LOGGING or uvicorn.config.LOGGING_CONFIG,
        }
        if options["use_reloader"]:
            development |= reloader
        raise_open_files_limit()
        uvicorn.run(application(), **OPTIONS | development)
