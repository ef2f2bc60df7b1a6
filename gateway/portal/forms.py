"""The forms that the portal's pages send."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from aiohttp import web

from gateway.replies import BodyError, read_bytes
from runtime.errors import ClarionError, Code

MAX_BYTES = 64 * 1024
# One for each event type that a page shows, and a few.
MAX_FIELDS = 600

_FORM = "application/x-www-form-urlencoded"

Fields = Mapping[str, Sequence[str]]


async def read(request: web.Request, *known: str) -> Fields:
    """Return the fields of a form with their values. known: their names. Raises BodyError or INVALID."""
    if request.content_type != _FORM:
        raise BodyError(415, "Content-Type must be application/x-www-form-urlencoded.")
    raw = await read_bytes(request, limit=MAX_BYTES)
    try:
        fields = parse_qs(raw.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise ClarionError(Code.INVALID, "The form cannot be read.") from None
    if fields.keys() - set(known):
        raise ClarionError(Code.INVALID, "The form has a field that is not on the page.")
    if any("\0" in value for values in fields.values() for value in values):
        raise ClarionError(Code.INVALID, "The form has a character that cannot be stored.")
    return fields


def text(fields: Fields, name: str) -> str:
    """Return the value of a field without white space around it, empty if it is absent. Raises INVALID for several."""
    values = fields.get(name, [])
    if len(values) > 1:
        raise ClarionError(Code.INVALID, "The form has a field twice.")
    return values[0].strip() if values else ""
