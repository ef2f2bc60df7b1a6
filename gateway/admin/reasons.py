"""What the words of reasons mean, for people, and what to do about each."""

from aiohttp import web

from gateway.replies import json_reply
from services.domain.advice import ADVICE, SUFFICIENT, afterwards
from services.domain.reasons import Reason


async def list_all(_request: web.Request) -> web.Response:
    """Return all reasons with their texts."""
    return json_reply(
        {
            "data": [
                {
                    "reason": reason.value,
                    "text": reason.text,
                    "advice": ADVICE[reason] or None,
                    "advice_afterwards": afterwards(reason) or None,
                    "send_again": reason not in SUFFICIENT,
                    "responsible": reason.responsible.value,
                    "retried": reason.is_retried,
                }
                for reason in Reason
            ]
        }
    )
