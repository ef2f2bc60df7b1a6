"""`clarion owner-link`: the link by which the first owner of the console joins, or somebody resets their password."""

import msgspec

from clarion.ingest.v1 import console_users_pb2, console_users_pb2_grpc
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel
from runtime.settings import Secret, Servers

JOIN_PATH = "/console/join#"
_DEADLINE_S = 10.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>; those of the gateway."""

    service_token: Secret
    ingest_address: Servers
    # Where browsers reach the gateway, https://notify.example.com. Empty: the link is a path, and begins with /.
    public_url: str = ""


async def make(settings: Settings, email: str = "") -> str:
    """Return a new link. email: whose password is to be reset; empty: the first owner's. Raises ClarionError."""
    call = Caller(settings.service_token.reveal())
    async with channel(settings.ingest_address) as ingest:
        stub = console_users_pb2_grpc.ConsoleUserServiceStub(ingest)
        wire = console_users_pb2.CreateOwnerLinkRequest(email=email)
        answer = await call(stub.CreateOwnerLink, wire, deadline=_DEADLINE_S, wait_for_ready=True)
    # The fragment of a URL reaches no server, so no log has the code.
    return f"{settings.public_url.rstrip('/')}{JOIN_PATH}{answer.code}"


async def make_unless_owned(settings: Settings) -> str:
    """Return the first owner's link; empty: there is an owner. Raises ClarionError."""
    try:
        return await make(settings)
    except ClarionError as error:
        if error.code is not Code.CONFLICT:
            raise
        return ""
