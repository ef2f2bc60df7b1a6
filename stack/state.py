"""The content of stack.json in the data folder, which describes a running stack for tests and tools."""

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """One process. pid: 0 while it is being restarted. starts: the number of starts so far."""

    pid: int
    starts: int
    log: str
    # The host:port for gRPC, HTTP (gateway) or SMTP (mail). Empty: none.
    address: str = ""


class StackState(msgspec.Struct, frozen=True):
    """A whole stack. It contains secrets, so only the owner may read the file."""

    # True when everything is healthy and the demo tenant exists.
    ready: bool
    # The process id of the supervisor.
    pid: int
    data: str
    # The address of the first gateway, and of all gateways.
    url: str
    urls: list[str]
    admin_token: str
    tenant_id: str
    api_key: str
    user_id: str
    # All CLARION_ variables of the stack, for `clarion doctor` and for clients.
    variables: dict[str, str]
    processes: dict[str, ProcessState]
    # A key of the demo tenant for Sendmator's API, and the id of its team.
    team_key: str = ""
    team: str = ""
