"""The area of the OpenAPI document."""

from gateway.dialects.nahook.openapi import ingest, management
from gateway.dialects.nahook.openapi.parts import KEY, TAG, TOKEN
from gateway.openapi.operations import DialectArea

AREA = DialectArea(
    tag=TAG,
    description="Webhooks: sending payloads to endpoints, and managing who gets which.",
    operations=(*ingest.OPERATIONS, *management.OPERATIONS),
    security={
        KEY: {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`nhk_us_…`). It is shown once, when an operator creates it.",
        },
        TOKEN: {
            "type": "http",
            "scheme": "bearer",
            "description": "A management token (`nhm_…`), shown once, when an operator creates it.",
        },
    },
)
