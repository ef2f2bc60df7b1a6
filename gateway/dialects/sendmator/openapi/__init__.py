"""The area of the OpenAPI document."""

from gateway.dialects.sendmator.openapi.operations import OPERATIONS
from gateway.dialects.sendmator.openapi.parts import KEY, TAG
from gateway.openapi.operations import DialectArea
from gateway.shared_paths import KEY_HEADER

AREA = DialectArea(
    tag=TAG,
    description="Events that start workflows, messages, one-time codes, contacts, and managing workflows.",
    operations=OPERATIONS,
    security={
        KEY: {
            "type": "apiKey",
            "in": "header",
            "name": KEY_HEADER,
            "description": "An API key (`sk_live_…` or `sk_test_…`). It is shown once, when an operator creates it.",
        },
    },
)
