"""Checks of requests that several services make: pure."""

from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid


def invalid(field: str, description: str) -> ClarionError:
    """Return the error for one wrong field. description: goes on after the field's name, "must not be empty"."""
    return ClarionError(Code.INVALID, f"{field} {description}", fields=[(field, description)])


def check_id(field: str, value: str, *, required: bool = True) -> None:
    """Check that a field is an id. Raises INVALID; what is not required may be empty."""
    if (value or required) and not is_uuid(value):
        raise invalid(field, "must be a UUID in lower case")
