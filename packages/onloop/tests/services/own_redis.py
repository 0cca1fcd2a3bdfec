"""A Redis of a test's own, which the test may stop, silence and start again."""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .fixtures import missing


class RedisServer:
    """Listens at a socket in a folder, and keeps nothing on disk."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program = program
        self.folder = folder
        self.url = f"unix://{folder}/redis.sock"
        self.start()

    def start(self) -> None:
        """Start, and return when clients are served."""
        self._process = subprocess.Popen(
            [self.program, "--port", "0", "--unixsocket", "redis.sock", "--save", ""],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        assert any("ready to accept" in line.lower() for line in self._process.stdout)

    def stop(self) -> None:
        """End, with all that was kept."""
        with self._process:
            self._process.kill()

    def be_silent(self) -> None:
        """Answer nothing, with connections open, until `speak()`."""
        self._process.send_signal(signal.SIGSTOP)

    def speak(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def own_redis(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        missing(request, "No redis-server is installed.")
    # A socket's path may have some hundred characters; pytest's folders have more.
    with tempfile.TemporaryDirectory() as folder:
        server = RedisServer(program, Path(folder))
        yield server
        server.stop()
