"""ServeStatic's middleware, with less work at the start and none for requests of other paths."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class EventLoopServeStaticMiddleware:
    """`ServeStaticMiddleware` that prepares each file when it is first requested.

    ServeStatic prepares all files at the start, which took a tenth of it. In development, where it
    looks for the file of each request on a thread, it does so for the paths of static files only.
    """

    sync_capable = False
    async_capable = True

    autorefresh: bool
    directories: list[tuple[str, str]]
    get_response: Callable[[HttpRequest], Any]
    index_file: str | None
    insert_directory: Callable[[str, str], None]
    static_prefix: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._unprepared: dict[str, Callable[[], None]] = {}
        super().__init__(*args, **kwargs)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a static file, or call the next middleware."""
        path = request.path_info
        if self.autorefresh and not any(path.startswith(at) for _, at in self.directories):
            response: HttpResponseBase = await self.get_response(request)
            return response
        if prepare := self._unprepared.pop(path, None):
            prepare()
        return await super().__call__(request)  # type: ignore[misc, no-any-return]

    def add_file_to_dictionary(self, url: str, *args: Any, **kwargs: Any) -> None:
        """Note a file that may be requested."""
        prepare = partial(super().add_file_to_dictionary, url, *args, **kwargs)  # type: ignore[misc]
        if self.index_file is None:
            self._unprepared[url] = prepare
        else:  # The file may have further URLs.
            prepare()

    def add_files_from_finders(self) -> None:
        """Note the files of the finders or, where each request looks for its own, their folders."""
        if not self.autorefresh:
            super().add_files_from_finders()  # type: ignore[misc]
            return
        for finder in finders.get_finders():
            for _, storage in finder.list(None):
                self.insert_directory(storage.location, self.static_prefix)
