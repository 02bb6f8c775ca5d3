"""Which key goes to which host. A key is bound to its provider's host; nothing in a file can send it elsewhere.

| request goes to | key taken from |
|---|---|
| api.openai.com and its regions, or the host of $OPENAI_BASE_URL | $OPENAI_API_KEY |
| api.anthropic.com, or the host of $ANTHROPIC_BASE_URL | $ANTHROPIC_API_KEY, else $ANTHROPIC_AUTH_TOKEN |
| the host of $AZURE_OPENAI_ENDPOINT (as Azure) | $AZURE_OPENAI_API_KEY |
| api.typesafe.ai, or the host of $TYPESAFE_BASE_URL | $TYPESAFE_API_KEY |
| any other host | $EVALHARNESS_KEY_<HOST>, else the variable that $EVALHARNESS_KEY_ENVS names for the host |
| this machine (loopback) | the same, else a placeholder |

``<HOST>`` is the host in capitals with ``_`` for a dot and ``__`` for a hyphen: ``api.my-lab.org`` is
``EVALHARNESS_KEY_API_MY__LAB_ORG`` (two hosts never share a name). ``EVALHARNESS_KEY_ENVS`` holds
``host=VARIABLE,host=VARIABLE``; the same may be given on the command line. A settings, rubric or data file may choose
an address, but can't choose a key: ``api_key_env`` in it is only accepted when it names a variable that the environment
or the command line already gives to that host.

Plain http is refused for hosts other than this machine unless ``EVALHARNESS_ALLOW_HTTP`` (hosts, comma-separated) or
the command line allows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evalharness.errors import UsageError
from evalharness.llm.endpoint import Endpoint, parse_endpoint

PLACEHOLDER = "no-key-needed"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMEABLE = re.compile(r"[a-z0-9.-]+")


class Secret(str):
    """A key: a string that does not show itself in a traceback's locals or a log line."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a provider lives and which variables of the environment speak of it."""

    name: str
    home: str
    keys: tuple[str, ...]
    address: str

    def own_host(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint is the provider's own."""
        return (
            bool(self.home) and endpoint.scheme == "https" and endpoint.within(parse_endpoint(self.home).host)
        )


OPENAI = Provider("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), "OPENAI_BASE_URL")
ANTHROPIC = Provider(
    "anthropic",
    "https://api.anthropic.com",
    ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
    "ANTHROPIC_BASE_URL",
)
AZURE = Provider("azure", "", ("AZURE_OPENAI_API_KEY",), "AZURE_OPENAI_ENDPOINT")
TYPESAFE = Provider("typesafe", "https://api.typesafe.ai/v1", ("TYPESAFE_API_KEY",), "TYPESAFE_BASE_URL")


@dataclass(frozen=True, slots=True)
class Trust:
    """What the user's environment and command line allow. Never filled from a file.

    ``key_variables`` maps hosts to the names of variables that hold their keys; ``http_hosts`` may be spoken to without
    encryption.
    """

    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_variables: Mapping[str, str] = field(default_factory=dict)
    http_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_environment(
        cls,
        environment: Mapping[str, str] | None = None,
        *,
        key_variables: Iterable[str] = (),
        http_hosts: Iterable[str] = (),
    ) -> Trust:
        """The environment's permissions with those of the command line (``host=VARIABLE`` and host names) added."""
        env = os.environ if environment is None else environment
        pairs = [*_listed(env.get("EVALHARNESS_KEY_ENVS", "")), *key_variables]
        hosts = [*_listed(env.get("EVALHARNESS_ALLOW_HTTP", "")), *http_hosts]
        return cls(env, dict(_pair(pair) for pair in pairs), frozenset(host.lower() for host in hosts))


@dataclass(frozen=True, slots=True)
class Key:
    """A key and the variable it came from; empty for the placeholder."""

    value: Secret
    variable: str


def endpoint_for(provider: Provider, base_url: str | None, trust: Trust) -> Endpoint:
    """The address to use: the given one, else the environment's, else the provider's own.

    Plain http to another machine is refused unless it is allowed.
    """
    url = base_url or trust.environment.get(provider.address) or provider.home
    if not url:
        raise UsageError(
            f"{provider.name} needs an address", fix=f"Write model@https://…, or set {provider.address}."
        )
    endpoint = parse_endpoint(url)
    if endpoint.scheme == "http" and not endpoint.loopback and endpoint.host not in trust.http_hosts:
        raise UsageError(
            f"{endpoint.netloc} would be spoken to without encryption",
            fix=f"Use https, or set EVALHARNESS_ALLOW_HTTP={endpoint.host} if that is wanted.",
        )
    return endpoint


def key_for(provider: Provider, endpoint: Endpoint, trust: Trust, asked: str | None = None) -> Key:
    """The key for a host. ``asked`` is the ``api_key_env`` of a settings file.

    Raises UsageError, naming the variable to set, when there is none and the host is another machine.
    """
    names = key_variables(provider, endpoint, trust)
    if asked is not None and asked not in names:
        raise UsageError(
            f"a settings file wants to send ${asked} to {endpoint.host}, which only you may allow",
            fix=f"Set EVALHARNESS_KEY_ENVS={endpoint.host}={asked} in the environment if that is right.",
        )
    for name in names if asked is None else (asked,):
        value = trust.environment.get(name, "").strip()
        if value:
            return Key(_checked(value, name), name)
    if endpoint.loopback:
        return Key(Secret(PLACEHOLDER), "")
    fix = f"Set {' or '.join(names)}." if names else f"Set EVALHARNESS_KEY_ENVS={endpoint.host}=VARIABLE."
    raise UsageError(f"there is no key for {endpoint.host}", fix=fix)


def key_variables(provider: Provider, endpoint: Endpoint, trust: Trust) -> tuple[str, ...]:
    """The variables whose value may be sent to the endpoint, in the order they are tried."""
    own = provider.keys if provider.own_host(endpoint) or _is_users_own(provider, endpoint, trust) else ()
    names = (trust.key_variables.get(endpoint.host, ""), *own, variable_of(endpoint.host))
    return tuple(dict.fromkeys(name for name in names if name))


def variable_of(host: str) -> str:
    """The variable that is named after a host; empty when the host has characters that no variable can spell."""
    if not _NAMEABLE.fullmatch(host):
        return ""
    return "EVALHARNESS_KEY_" + host.upper().replace("-", "__").replace(".", "_")


def _is_users_own(provider: Provider, endpoint: Endpoint, trust: Trust) -> bool:
    """Whether the user's environment names exactly this host and port as the provider's address."""
    url = trust.environment.get(provider.address)
    if not url:
        return False
    users = parse_endpoint(url)
    return (users.scheme, users.host, users.port) == (endpoint.scheme, endpoint.host, endpoint.port)


def _checked(value: str, name: str) -> Secret:
    if not value.isascii() or any(ord(char) < 33 for char in value):
        raise UsageError(
            f"the key in {name} holds characters that no key has", fix="Set it again, without quotes."
        )
    return Secret(value)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    host, _, variable = text.rpartition("=")
    if not host or not _VARIABLE.fullmatch(variable):
        raise UsageError(
            "a key assignment is not host=VARIABLE", fix="Write for example gpu.lab.org=LAB_KEY."
        )
    return host.strip().lower(), variable
