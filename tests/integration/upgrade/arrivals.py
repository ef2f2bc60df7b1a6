"""What arrived where the test can see it: sandboxes, mail server, inboxes and the realtime hub."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from checks.client import Operator, Tenant
from tests.integration.senders.mail_servers import Catcher
from tests.integration.upgrade.installation import Installation

# What stands between two # in each message of an event.
_MARKER = re.compile(r"#([a-z0-9-]+)#")
# How many differences a failure names.
_SHOWN = 30

Arrived = Counter[tuple[str, str]]


@dataclass
class Arrivals:
    """By (marker, channel): how many messages arrived, and how many notifications were shown on open pages."""

    messages: Arrived = field(default_factory=Counter)
    shown: Arrived = field(default_factory=Counter)
    # By (marker, channel): the text of one message.
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    # By marker: whether the notification was read.
    read: dict[str, bool] = field(default_factory=dict)

    def note(self, channel: str, text: str) -> None:
        """Count a message."""
        key = _marker(text), channel
        self.messages[key] += 1
        self.texts[key] = text


async def arrivals(
    running: Installation,
    operator: Operator,
    tenants: Mapping[str, Tenant],
    users: Iterable[tuple[str, str]],
    mail: Catcher,
) -> Arrivals:
    """Return everything that arrived. users: (tenant's name, user id) of all who have an inbox."""
    found = Arrivals()
    for tenant in tenants.values():
        async for message in _outbox(operator, tenant):
            found.note(message["channel"], f"{message['subject'] or ''} {message['text']}")
    for envelope in mail.envelopes:
        content = envelope.original_content or b""
        found.note("EMAIL", content.decode(errors="replace"))
    for name, user_id in sorted(set(users)):
        tenant = tenants[name]
        for entry in await tenant.whole_inbox(user_id):
            text = f"{entry['title']} {entry['body']}"
            found.note("PUSH", text)
            found.read[_marker(text)] = entry["status"] == "READ"
        for channel in (await tenant.token(user_id))["channels"]:
            for publication in await running.publications(channel):
                found.shown[_marker(f"{publication['title']} {publication['body']}"), "PUSH"] += 1
    return found


def differences(expected: Mapping[tuple[str, str], int], found: Arrived) -> list[str]:
    """Return a line for each message that was lost or sent too often."""
    lines = []
    for marker, channel in sorted({*expected, *found}):
        wanted, number = expected.get((marker, channel), 0), found[marker, channel]
        if wanted != number:
            word = "LOST" if number < wanted else "DOUBLED" if wanted else "NOT EXPECTED"
            lines.append(f"{word}: event {marker} on {channel} arrived {number} times instead of {wanted}")
    return lines


def report(lines: Sequence[str]) -> str:
    """Return the first lines, and how many more there are."""
    left = len(lines) - _SHOWN
    return "\n".join([*lines[:_SHOWN], *([f"and {left} more"] if left > 0 else [])])


def _marker(text: str) -> str:
    """Return the event's marker; of a message without one, such as an empty one, how it begins."""
    found = _MARKER.search(text)
    return found.group(1) if found else repr(text[:80])


async def _outbox(operator: Operator, tenant: Tenant) -> Any:
    cursor = ""
    while True:
        page = await operator.must("GET", f"/tenants/{tenant.id}/outbox?limit=100{cursor}")
        for message in page["data"]:
            yield message
        if not page["next_cursor"]:
            return
        cursor = f"&cursor={page['next_cursor']}"
