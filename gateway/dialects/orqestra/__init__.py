"""Orqestra's API: triggers, realtime tokens and the inbox. See README.md here."""

from typing import TYPE_CHECKING

from gateway.dialects import Dialect
from gateway.dialects.orqestra.copy import copy
from gateway.dialects.orqestra.errors import unanswered
from gateway.dialects.orqestra.routes import add_routes, claims, shared

if TYPE_CHECKING:
    from gateway.openapi.operations import DialectArea


def _area() -> "DialectArea":
    # Imported when the OpenAPI document is made: most gateways never need it in memory.
    from gateway.dialects.orqestra.openapi import AREA

    return AREA


DIALECT = Dialect(
    add_routes=add_routes,
    claims=claims,
    unanswered=unanswered,
    area=_area,
    is_main=True,
    copy=copy,
    shared=shared,
)
