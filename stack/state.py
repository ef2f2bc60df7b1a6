"""What runs, for tests and tools: the content of stack.json in the data folder."""

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """One process. pid: 0 while it is being started again. starts: 1 and one more for each time since."""

    pid: int
    starts: int
    log: str
    # host:port: of gRPC, of the gateway's HTTP, of the mail server's SMTP; empty: none.
    address: str = ""


class StackState(msgspec.Struct, frozen=True):
    """A whole stack. Holds secrets: the file is for its owner only."""

    # True once everything is healthy and the demo tenant is there.
    ready: bool
    # Of the supervisor.
    pid: int
    data: str
    # Of the gateway, and of all its instances.
    url: str
    urls: list[str]
    admin_token: str
    tenant_id: str
    api_key: str
    user_id: str
    # Every CLARION_ variable of the stack: what `clarion doctor` or a client of its services needs.
    variables: dict[str, str]
    processes: dict[str, ProcessState]
