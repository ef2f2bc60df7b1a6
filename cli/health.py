"""`clarion health`: asks the process whose environment this is; the health check of a container."""

import http.client

import msgspec

from runtime.grpc import is_serving

_DEADLINE_S = 3.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>: where the process itself listens."""

    # Of the gateway.
    http_address: str = ""
    # Of every other service.
    grpc_address: str = ""


async def is_healthy(settings: Settings) -> bool:
    """Tell whether the process serves. Raises ValueError where neither address is set."""
    if settings.http_address:
        return _answers(_reachable(settings.http_address))
    if settings.grpc_address:
        return await is_serving(_reachable(settings.grpc_address), deadline=_DEADLINE_S)
    raise ValueError("CLARION_HTTP_ADDRESS or CLARION_GRPC_ADDRESS must be set.")


def _reachable(address: str) -> str:
    """Return where to ask a process that listens on address: on loopback where it listens everywhere."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("", "0.0.0.0", "[::]") else address


def _answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, timeout=_DEADLINE_S)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
