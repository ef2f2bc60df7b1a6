"""What the gateway tells the audit log: always something that it takes."""

from typing import Any

from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.audit import FIELDS, Auditor
from gateway.observing import TENANT_ID


class Log:
    """Stands for gateway.clients.Clients: keeps what it is called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.audit = self
        self.BeginAuditEntry = self.FinishAuditEntry = None

    async def call(self, _: Any, request: Any, **_options: Any) -> Any:
        """Keep the request."""
        self.calls.append(request)


async def test_names_of_fields_are_cut() -> None:
    """The log refuses longer names, and the entry would then have no outcome."""
    log: Any = Log()
    request = make_mocked_request("POST", "/")
    request[FIELDS] = ("n" * 600, "a\0", *(f"f{number}" for number in range(100)))
    request[TENANT_ID] = "t"
    await Auditor(log).finish(request, "e", web.Response(status=201))
    [finished] = log.calls
    assert (finished.tenant_id, len(finished.fields)) == ("t", 64)
    assert all(len(name) <= 255 and "\0" not in name for name in finished.fields)
