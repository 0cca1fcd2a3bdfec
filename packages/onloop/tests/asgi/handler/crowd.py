"""A view that many requests are in at the same time."""

import threading

from django.http import HttpRequest, HttpResponse


class Crowd:
    """A synchronous view that counts the requests inside it, and keeps them until it is told."""

    def __init__(self) -> None:
        self.threads: list[int] = []
        self.inside = self.most = 0
        self.lock = threading.Lock()
        self.entered = threading.Semaphore(0)
        self.out = threading.Semaphore(0)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.threads.append(threading.get_ident())
        self.entered.release()
        assert self.out.acquire(timeout=10)
        with self.lock:
            self.inside -= 1
        return HttpResponse("out")
