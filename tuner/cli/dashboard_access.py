"""Who may ask the dashboard: pages of its own address, and nobody who gives it another name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
READING = ("GET", "HEAD")


class OwnAddress:
    """A WSGI application that answers 403 to requests under another name, or from pages of other sites.

    A site that lets its name point to this machine cannot read the dashboard, and none can make a browser
    write to it. Links that lead to it from elsewhere work.

    Args:
        host: The name or address that the server listens at.
        port: The port that it listens at.

    Source: resource isolation by Fetch Metadata, web.dev/articles/fetch-metadata; rebinding: Jackson et al.
    2007, Protecting browsers from DNS rebinding attacks, section 5.3 (checking the Host header).
    """

    def __init__(self, application: Application, host: str, port: int) -> None:
        self._application, self._port = application, port
        self._at_all_addresses = not host or _is_unspecified(host)
        own = (socket.gethostname(), socket.getfqdn()) if self._at_all_addresses else ()
        self._names = {name.lower() for name in (*LOOPBACK, host, *own)}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        refused = self._refused(environ)
        if refused is None:
            return self._application(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [f"{refused}. Open the address that tuner dashboard printed.\n".encode()]

    def _refused(self, environ: dict[str, Any]) -> str | None:
        """Why a request is not answered, None where it is."""
        if not self._is_own(environ.get("HTTP_HOST", "")):
            return "The dashboard does not answer under this name"
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and (
            not origin.startswith("http://") or not self._is_own(origin.removeprefix("http://"))
        ):
            return "The dashboard does not answer to pages of other sites"
        is_link = (
            environ["REQUEST_METHOD"] in READING
            and environ.get("HTTP_SEC_FETCH_MODE") == "navigate"
            and environ.get("HTTP_SEC_FETCH_DEST") == "document"
        )
        if environ.get("HTTP_SEC_FETCH_SITE") in ("cross-site", "same-site") and not is_link:
            return "The dashboard does not answer to pages of other sites"
        return None

    def _is_own(self, authority: str) -> bool:
        """Whether `name:port`, as a browser writes it, is this server; 80 may be left out."""
        name, _, port = authority.lower().rpartition(":")
        if not port.isdecimal():  # no port, or the end of an address in brackets
            name, port = authority.lower(), "80"
        if port != str(self._port):
            return False
        # No foreign name can stand behind a bare address.
        return name in self._names or (self._at_all_addresses and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _is_unspecified(host: str) -> bool:
    return _is_address(host) and ipaddress.ip_address(host.strip("[]")).is_unspecified
