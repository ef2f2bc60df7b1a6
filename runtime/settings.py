"""Settings from the environment: typed, and refused with a readable list of all mistakes.

A service declares a frozen ``msgspec.Struct``; field ``nats_url`` is read from ``CLARION_NATS_URL``.
"""

import ipaddress
import os
import sys
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec

from runtime import validation

PREFIX = "CLARION_"

# Where a service's gRPC servers are: one host:port, or several IPv4 addresses with their ports, by commas.
Servers = Annotated[str, "gRPC servers"]

S = TypeVar("S", bound=msgspec.Struct)


class Secret:
    """A string that is hidden in logs and tracebacks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the string itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('…')"


class SettingsError(Exception):
    """The environment lacks settings, or has wrong ones. The text lists all of them."""


def load(settings: type[S], environ: Mapping[str, str] | None = None) -> S:
    """Read ``settings`` from the environment.

    Lists are comma-separated. Raises SettingsError naming every missing or malformed variable.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    faults: list[str] = []
    for field in msgspec.structs.fields(settings):
        variable = PREFIX + field.name.upper()
        text = environ.get(variable, "")
        if not text:
            if field.required:
                faults.append(f"{variable} is not set")
            continue
        try:
            values[field.name] = _convert(text, field.type)
        except msgspec.ValidationError:
            faults.append(f"{variable} {validation.description(field.type)}")
        except ValueError as error:
            faults.append(f"{variable}: {error}")
    if faults:
        raise SettingsError("; ".join(faults))
    return settings(**values)


def load_or_exit(settings: type[S]) -> S:
    """Read settings as load does; on a mistake print one sentence per variable and exit with status 1."""
    try:
        return load(settings)
    except SettingsError as error:
        for fault in str(error).split("; "):
            print(f"configuration: {fault}", file=sys.stderr)
        raise SystemExit(1) from None


def _convert(text: str, wanted: Any) -> Any:
    if wanted is Secret:
        return Secret(text)
    if wanted == Servers:
        return _servers(text)
    if getattr(wanted, "__origin__", None) is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return msgspec.convert(parts, wanted, strict=False)
    return msgspec.convert(text, wanted, strict=False)


def _servers(text: str) -> str:
    """Return the list of addresses in gRPC's form. Raises ValueError: gRPC resolves one name, not several."""
    servers = [part.strip() for part in text.split(",") if part.strip()]
    if len(servers) > 1:
        for server in servers:
            host, _, port = server.rpartition(":")
            if not (_is_ipv4(host) and port.isascii() and port.isdecimal()):
                raise ValueError(
                    f"{server} cannot stand in a list, which takes IPv4 addresses with ports only: give all servers "
                    "one name in DNS and set that name alone"
                )
    return ",".join(servers)


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True
