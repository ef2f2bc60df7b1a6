"""What is wrong with a request about templates, as fields and sentences."""

import re
from collections.abc import Iterable

from runtime.errors import ClarionError, Code
from services.render.frames import Fault

MAX_BODY_BYTES = 256 * 1024

_TENANT = re.compile(r"[a-z0-9_-]{0,64}")
# The name under which the platform's own are published.
_RESERVED_TENANT = "platform"


def violations(faults: Iterable[Fault]) -> None:
    """Raise INVALID naming them; nothing where there are none."""
    fields = [(fault.field, sentence(fault)) for fault in faults]
    if fields:
        raise ClarionError(Code.INVALID, "The template cannot be used.", fields=fields)


def sentence(fault: Fault) -> str:
    """Return what is wrong, with the place where it is known."""
    if not fault.line:
        return fault.message
    column = f", column {fault.column}" if fault.column else ""
    return f"Line {fault.line}{column}: {fault.message}"


def tenant_faults(tenant_id: str) -> list[Fault]:
    """Return what is wrong with a tenant's id; empty is the platform."""
    if _TENANT.fullmatch(tenant_id) and tenant_id != _RESERVED_TENANT:
        return []
    return [Fault("tenant_id", 0, "This is not a tenant's id.")]


def text_faults(**texts: str) -> list[Fault]:
    """Return which of the named texts PostgreSQL could not store."""
    return [Fault(field, 0, "It holds a NUL.") for field, text in texts.items() if "\0" in text]
