"""Whom an event is sent to."""

import asyncio
from collections.abc import Collection

import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from services.domain import audience
from services.router import people
from services.router.people import StoredPeople
from services.router.ports import RecipientKey
from tests.fakes.router_recipients import MemoryRecipients
from tests.unit.router.planning import an_event, by_id, described, for_audience, stored


def _named(event: event_pb2.Event, found: people.Found) -> list[tuple[str, str]]:
    return [(one.destination, one.recipient.email) for one in people.named_directly(event, found)]


def test_an_only_recipient() -> None:
    """As the caller describes them; without an id they are the first and only one."""
    assert _named(an_event(), {}) == [("u", "a@example.com")]
    assert _named(an_event(recipient={"user_id": ""}), {}) == [("#0", "a@example.com")]


def test_an_audience() -> None:
    """In the order of the targets; people without an id are known by their place."""
    event = for_audience(described("ada", email="own@x.org"), by_id("bob"), described(email="c@x.org"), by_id("eve"))
    assert people.named_ids(event) == [("t", "bob"), ("t", "eve")]
    found = stored("bob")
    assert _named(event, found) == [("ada", "own@x.org"), ("bob", "bob@example.com"), ("#2", "c@x.org"), ("eve", "")]
    assert [one.is_unknown for one in people.named_directly(event, found)] == [False, False, False, True]


def test_a_recipient_who_is_named_twice_is_one() -> None:
    """A description wins over the stored one, and the first of several descriptions counts."""
    event = for_audience(
        by_id("ada"), by_id("bob"), by_id("bob"), described("ada", email="1@x.org"), described("ada", email="2@x.org")
    )
    assert people.named_ids(event) == [("t", "bob")]
    assert _named(event, stored("ada", "bob")) == [("bob", "bob@example.com"), ("ada", "1@x.org")]


def test_who_is_excluded_gets_nothing() -> None:
    """However they are named; nobody is looked up for it."""
    event = for_audience(described("ada"), by_id("bob"), by_id("eve"), described(), excluded=["ada", "bob"])
    assert people.named_ids(event) == [("t", "eve")]
    assert [destination for destination, _ in _named(event, stored("bob", "eve"))] == ["eve", "#3"]
    assert _named(an_event(exclusions=[by_id("u")]), {}) == []


def test_members_of_groups_are_not_named_directly() -> None:
    """Their run reads them page by page."""
    targets = [event_pb2.Target(group="g"), event_pb2.Target(everybody=event_pb2.Everybody()), by_id("bob")]
    assert _named(for_audience(*targets), stored("bob")) == [("bob", "bob@example.com")]


class _Counting(MemoryRecipients):
    """Stored recipients that count their queries."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[set[RecipientKey]] = []

    async def find(self, wanted: Collection[RecipientKey], *, whole: bool = False) -> people.Found:
        self.asked.append(set(wanted))
        return await super().find(wanted)


async def test_events_that_are_planned_together_share_a_query() -> None:
    """Each gets its own recipients; an event without stored ones asks nothing."""
    recipients = _Counting()
    for tenant_id, id_ in (("t", "ada"), ("t", "bob"), ("other", "ada")):
        recipients.store(tenant_id, id_, email=f"{id_}@{tenant_id}.org")
    finder = StoredPeople(recipients)
    wanted: list[list[RecipientKey]] = [[("t", "ada"), ("t", "bob")], [("other", "ada")], [("t", "x")], []]
    found = await asyncio.gather(*[finder.find(keys) for keys in wanted])
    assert [{key: one.recipient.email for key, one in each.items()} for each in found] == [
        {("t", "ada"): "ada@t.org", ("t", "bob"): "bob@t.org"},
        {("other", "ada"): "ada@other.org"},
        {},
        {},
    ]
    assert recipients.asked == [{key for keys in wanted for key in keys}]


async def test_a_query_is_bounded() -> None:
    """Many events to a hundred recipients each are several queries."""
    recipients = _Counting()
    finder = StoredPeople(recipients)
    await asyncio.gather(*[finder.find([("t", f"{event}/{n}") for n in range(100)]) for event in range(50)])
    assert sum(map(len, recipients.asked)) == 5_000
    assert max(map(len, recipients.asked)) <= 2_000


async def test_a_database_that_is_away() -> None:
    """It is told to all who asked."""
    recipients = MemoryRecipients(away=True)
    finder = StoredPeople(recipients)
    answers = await asyncio.gather(*[finder.find([("t", id_)]) for id_ in "ab"], return_exceptions=True)
    assert [answer.code for answer in answers if isinstance(answer, ClarionError)] == [Code.UNAVAILABLE] * 2
    recipients.away = False
    assert await finder.find([("t", "a")]) == {}


@pytest.mark.parametrize(
    ("targets", "exclusions"),
    [
        ([by_id("a"), event_pb2.Target(group="g")], []),
        ([event_pb2.Target(everybody=event_pb2.Everybody())], []),
        ([by_id("a")], [event_pb2.Target(group="g")]),
    ],
)
def test_which_audiences_are_read_page_by_page(
    targets: list[event_pb2.Target], exclusions: list[event_pb2.Target]
) -> None:
    """Those whose members only the stored groups know: also to leave a group's members out."""
    assert audience.needs_expansion(event_pb2.Event(audience=targets, exclusions=exclusions))
    assert not audience.needs_expansion(for_audience(described("a"), by_id("b"), excluded=["b"]))
