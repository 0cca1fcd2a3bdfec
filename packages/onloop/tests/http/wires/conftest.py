"""Each test of a wire runs on every wire."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from pytest_django import Settings

from onloop.http.wires import WIRES, Wire, open_wire


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def authority_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """The TLS context of a server whose authority is trusted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "upstream.test").configure_cert(context)
    return context


@pytest.fixture(autouse=True)
def _trusted(authority_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust one authority; reading those of the system takes longer than most tests."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)


@pytest.fixture(params=WIRES)
def transport(request: pytest.FixtureRequest, settings: Settings) -> str:
    settings.HTTP_TRANSPORT = request.param
    return str(request.param)


@pytest.fixture
async def wire(transport: str, _trusted: None) -> AsyncIterator[Wire]:
    wire = open_wire()
    yield wire
    await wire.aclose()
