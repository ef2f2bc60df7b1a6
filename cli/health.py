"""`clarion health`: the health check of a container. It asks the process with the same environment."""

import http.client

import msgspec

from runtime.grpc import is_serving

_DEADLINE_S = 3.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>: the address that the process listens on."""

    # The gateway's address.
    http_address: str = ""
    # The address of any other service.
    grpc_address: str = ""


async def is_healthy(settings: Settings) -> bool:
    """Return whether the process is healthy. Raises ValueError if no address is set."""
    if settings.http_address:
        return _answers(_reachable(settings.http_address))
    if settings.grpc_address:
        return await is_serving(_reachable(settings.grpc_address), deadline=_DEADLINE_S)
    raise ValueError("Set CLARION_HTTP_ADDRESS or CLARION_GRPC_ADDRESS to the address of the process.")


def _reachable(address: str) -> str:
    """Return the address to connect to: loopback if the process listens on all interfaces."""
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
