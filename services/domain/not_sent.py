"""Why rendered content is not sent after all: the reasons and sentences of timelines and previews."""

from typing import NamedTuple

# What a text message may be billed as where the tenant says nothing else. More parts than the second cannot be
# numbered (3GPP TS 23.040, 9.2.3.24.1).
DEFAULT_MAX_SMS_SEGMENTS = 10
MOST_MAX_SMS_SEGMENTS = 255


class NotSent(NamedTuple):
    """A word for programs and a sentence for people."""

    reason: str
    detail: str


EMPTY_CONTENT = NotSent("empty_content", "The rendered content is empty: there is nothing in it that could be seen.")


def sms_too_long(segments: int, encoding: str, limit: int) -> NotSent | None:
    """Return why a text message of so many segments is not sent; None: it is within the tenant's limit."""
    if segments <= limit:
        return None
    detail = f"The text would be billed as {segments:,} segments ({encoding}); the tenant's limit is {limit}."
    return NotSent("sms_too_long", detail)
