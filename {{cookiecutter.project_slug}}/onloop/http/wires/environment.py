"""Proxies and certificates from the environment, the same for every wire.

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR` have their
usual meaning.
"""

import ipaddress
import os
import ssl
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from onloop.http._httpx import ConnectError, create_ssl_context


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy that the environment names for `url`, if any.

    `NO_PROXY` is interpreted as in `urllib.request`. A loopback address never goes through a proxy,
    as in Go's `http.ProxyFromEnvironment`: on the proxy it would name another machine.

    Raises:
        ConnectError: the proxy is not an HTTP proxy.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise ConnectError("The environment names a proxy that is neither http:// nor https://.")
    return proxy


def ssl_context() -> ssl.SSLContext:
    """Return the TLS context of this process's calls: certifi's authorities, or the environment's.

    The same context each time, because reading the certificates takes some 20 ms.
    """
    return _ssl_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _ssl_context(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    return create_ssl_context()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
