"""Nahook's API: webhooks, and managing who gets them. See README.md here."""

from typing import TYPE_CHECKING

from gateway.dialects import Dialect
from gateway.dialects.nahook.copy import copy
from gateway.dialects.nahook.credentials import KEY_KINDS
from gateway.dialects.nahook.errors import unanswered
from gateway.dialects.nahook.management.audit import words_of
from gateway.dialects.nahook.routes import ROUTES, add_routes, claims

if TYPE_CHECKING:
    from gateway.openapi.operations import DialectArea


def _area() -> "DialectArea":
    # Imported when the OpenAPI document is made: most gateways never need it in memory.
    from gateway.dialects.nahook.openapi import AREA

    return AREA


DIALECT = Dialect(
    add_routes=add_routes,
    claims=claims,
    unanswered=unanswered,
    area=_area,
    key_kinds=KEY_KINDS,
    copy=copy,
    audited=lambda: words_of(ROUTES),
)
