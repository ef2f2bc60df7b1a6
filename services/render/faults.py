"""Errors in requests about templates: a field and a sentence for each."""

import re
from collections.abc import Iterable

from runtime.errors import ClarionError, Code
from services.render.frames import Fault

MAX_BODY_BYTES = 256 * 1024

_TENANT = re.compile(r"[a-z0-9_-]{0,64}")
# The platform's templates are published under this name.
_RESERVED_TENANT = "platform"


def violations(faults: Iterable[Fault]) -> None:
    """Raise INVALID with these faults, if there are any."""
    fields = [(fault.field, sentence(fault)) for fault in faults]
    if fields:
        raise ClarionError(Code.INVALID, "The template has errors.", fields=fields)


def sentence(fault: Fault) -> str:
    """Return what is wrong, with line and column if they are known."""
    if not fault.line:
        return fault.message
    column = f", column {fault.column}" if fault.column else ""
    return f"Line {fault.line}{column}: {fault.message}"


def tenant_faults(tenant_id: str) -> list[Fault]:
    """Return the faults of a tenant id. An empty one is valid: the platform."""
    if _TENANT.fullmatch(tenant_id) and tenant_id != _RESERVED_TENANT:
        return []
    return [Fault("tenant_id", 0, "is not a tenant's id")]


def text_faults(**texts: str) -> list[Fault]:
    """Return the faults of texts that PostgreSQL cannot store."""
    return [Fault(field, 0, "must not contain a NUL character") for field, text in texts.items() if "\0" in text]
