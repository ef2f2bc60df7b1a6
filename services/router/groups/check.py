"""Checks changes of groups: pure."""

from collections.abc import Sequence

from clarion.router.v1 import recipients_pb2
from services.router.recipients.check import Fault, invalid, tenant, text

# Of one tenant.
MAX_GROUPS = 100_000
# Of one call, in both lists together.
MAX_CHANGES = 500


def check_group(request: recipients_pb2.PutGroupRequest) -> None:
    """Raise INVALID naming each wrong field."""
    _refuse([*tenant(request.tenant_id), *text("key", request.key, required=True), *text("name", request.name)])


def check_members(request: recipients_pb2.ChangeMembersRequest) -> None:
    """Raise INVALID naming each wrong field."""
    faults = [*tenant(request.tenant_id)]
    if not 1 <= len(request.add) + len(request.remove) <= MAX_CHANGES:
        faults.append(("add", f"must be, together with remove, from 1 to {MAX_CHANGES} ids"))
    elif both := set(request.add) & set(request.remove):
        faults += [(f"remove[{at}]", "is in add, too") for at, one in enumerate(request.remove) if one in both]
    for field, ids in (("add", request.add), ("remove", request.remove)):
        for position, one in enumerate(ids[:MAX_CHANGES]):
            faults += text(f"{field}[{position}]", one, required=True)
    _refuse(faults)


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise invalid(faults)
