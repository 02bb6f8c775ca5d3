"""Addresses that requests go to: checked, in one canonical spelling, without credentials."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from evalharness.errors import UsageError

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An http(s) address; ``host`` is lower case, an IPv6 host without brackets; ``path`` has no slash at its end."""

    scheme: str
    host: str
    port: int | None = None
    path: str = ""

    @property
    def netloc(self) -> str:
        """Host, and port where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as it is given to the SDK."""
        return f"{self.scheme}://{self.netloc}{self.path}"

    @property
    def label(self) -> str:
        """The address for reports and limits: without its scheme."""
        return f"{self.netloc}{self.path}"

    @property
    def loopback(self) -> bool:
        """Whether the address can only be this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def within(self, domain: str) -> bool:
        """Whether the host is the domain or a part of it."""
        return self.host == domain or self.host.endswith(f".{domain}")


def parse_endpoint(url: str) -> Endpoint:
    """The endpoint that a URL names.

    Raises UsageError for anything but a plain http(s) address: credentials in it, a query, characters that two
    parsers could read differently.
    """
    parts = _split(url)
    if "@" in parts.netloc:
        raise _bad("it holds a user name or password", "Keys come from the environment only.")
    if parts.query or parts.fragment:
        raise _bad(
            "it has a query or a fragment", "Give the address up to the API's version, like https://host/v1."
        )
    host = (parts.hostname or "").removesuffix(".").lower()
    if not _is_host(host):
        raise _bad(
            "its host name is not a plain one", "Write ASCII names (xn--… for others) or IP addresses."
        )
    if not _PATH.fullmatch(parts.path):
        raise _bad("its path holds unusual characters", "Escape them, or use another address.")
    port = _port(parts)
    return Endpoint(
        parts.scheme, host, None if port == _DEFAULT_PORTS[parts.scheme] else port, parts.path.rstrip("/")
    )


def _split(url: str) -> SplitResult:
    if any(ord(char) <= 32 or ord(char) >= 127 for char in url) or "\\" in url:
        raise _bad("it holds spaces, control or non-ASCII characters", "Write a plain http(s) address.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad("it can't be read", "Write it like http://localhost:8000/v1.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _bad("it is not http or https", "Write it like http://localhost:8000/v1.")
    return parts


def _port(parts: SplitResult) -> int | None:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise _bad("its port is not a number from 1 to 65535", "Write it like http://localhost:8000/v1.")
    return port


def _is_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host) is not None
    except ValueError:
        return bool(_HOST.fullmatch(host)) and len(host) <= 253


def _bad(problem: str, fix: str) -> UsageError:
    return UsageError(f"the judge's address can't be used: {problem}", fix=fix)
