"""Ids that this API makes of ours: pure."""

import base64
import binascii
from typing import NamedTuple
from uuid import UUID

from gateway.dialects.sendmator.errors import not_found
from runtime.ids import is_uuid

_PREFIX = "exec_"
# The largest number that JavaScript reads exactly.
_JOB_BITS = 53


class Execution(NamedTuple):
    """What a message or a step of a workflow is to all contacts of a trigger. workflow_id, step: empty: a message."""

    trigger_id: str
    workflow_id: str = ""
    step: str = ""


def job_id(event_id: str) -> str:
    """Return the digits that name an event's job."""
    return str(UUID(event_id).int & ((1 << _JOB_BITS) - 1))


def execution_id(execution: Execution) -> str:
    """Return the id of an execution; that of a message is its trigger's."""
    if not execution.workflow_id:
        return execution.trigger_id
    packed = UUID(execution.trigger_id).bytes + UUID(execution.workflow_id).bytes + execution.step.encode()
    return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def execution(text: str) -> Execution:
    """Return the execution with this id. Raises ApiError (404) for what is no id."""
    if is_uuid(text):
        return Execution(text)
    packed = text.removeprefix(_PREFIX)
    try:
        data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        if packed == text or len(data) <= 32:
            raise ValueError
        return Execution(str(UUID(bytes=data[:16])), str(UUID(bytes=data[16:32])), data[32:].decode())
    except (binascii.Error, ValueError):
        raise not_found("Execution") from None
