"""Erasing one of several recipients: the senders delete that person's messages, and nobody else's."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, cast

from clarion.ingest.v1 import privacy_pb2
from clarion.realtime.v1 import privacy_pb2 as realtime_pb2
from clarion.router.v1 import privacy_pb2 as router_pb2
from clarion.router.v1 import recipients_pb2
from clarion.senders.v1 import privacy_pb2 as senders_pb2
from gateway.admin.privacy import _Erasure
from gateway.clients import Clients


class Services:
    """Ledger and senders in memory: each message is of an event, a delivery and a user."""

    def __init__(self, *messages: tuple[str, str, str]) -> None:
        self.messages = list(messages)
        self.erased: set[tuple[str, str]] = set()
        # What the ledger does not know yet of these users' deliveries.
        self.unknown: set[str] = set()
        self.addresses: list[str] = []
        self.privacy = SimpleNamespace(
            BeginErasure=self.begin, ListErasureEvents=self.list_events, EraseEvents=self.erase_events
        )
        self.senders_privacy = SimpleNamespace(EraseMessages=self.erase_messages)
        self.router_privacy = SimpleNamespace(
            EraseRecipient=lambda _: router_pb2.EraseRecipientResponse(),
            ExportRecipient=lambda _: router_pb2.ExportRecipientResponse(
                recipient=recipients_pb2.StoredRecipient(email="Ada@example.com")
            ),
        )
        self.realtime_privacy = SimpleNamespace(EraseRecipient=lambda _: realtime_pb2.EraseRecipientResponse())

    async def call(self, method: Any, wire: Any, deadline: float) -> Any:
        """Call a service."""
        return method(wire)

    def begin(self, wire: privacy_pb2.BeginErasureRequest) -> privacy_pb2.BeginErasureResponse:
        """Note the addresses; those that are given for the first time are not all found at once."""
        more = list(wire.addresses) != self.addresses
        self.addresses = list(wire.addresses)
        return privacy_pb2.BeginErasureResponse(erasure_id="erasure", at_us=5, more=more)

    def list_events(self, wire: privacy_pb2.ListErasureEventsRequest) -> privacy_pb2.ListErasureEventsResponse:
        """List the events of the user that are not erased."""
        if wire.late or not wire.shared:
            return privacy_pb2.ListErasureEventsResponse()
        events = {event for event, _, user in self.messages if user == wire.user_id}
        events -= {event for event, user in self.erased if user == wire.user_id}
        shared = {event for event, _, user in self.messages if event in events and user != wire.user_id}
        return privacy_pb2.ListErasureEventsResponse(
            event_ids=sorted(events),
            shared_event_ids=sorted(shared),
            delivery_ids=[
                delivery
                for event, delivery, user in self.messages
                if event in shared and user == wire.user_id and user not in self.unknown
            ],
        )

    def erase_events(self, wire: privacy_pb2.EraseEventsRequest) -> privacy_pb2.EraseEventsResponse:
        """Forget whose events these are."""
        self.erased |= {(event, wire.user_id) for event in wire.event_ids}
        return privacy_pb2.EraseEventsResponse(events=len(wire.event_ids))

    def erase_messages(self, wire: senders_pb2.EraseMessagesRequest) -> senders_pb2.EraseMessagesResponse:
        """Delete the messages of the events, or of some deliveries of them."""
        gone = [
            message
            for message in self.messages
            if message[0] in wire.event_ids and (not wire.delivery_ids or message[1] in wire.delivery_ids)
        ]
        self.messages = [message for message in self.messages if message not in gone]
        return senders_pb2.EraseMessagesResponse(messages=len(gone))


async def _erase(services: Services, user: str) -> dict[str, int]:
    erasure = _Erasure(cast("Clients", services), "tenant", user, ["+254712345678"])
    assert await erasure.run()
    return erasure.counts


def _users(messages: Iterable[tuple[str, str, str]]) -> list[str]:
    return [user for _, _, user in messages]


async def test_only_this_person_s_messages() -> None:
    """Of events with other recipients the person's deliveries; of their own events everything."""
    services = Services(
        ("own", "d1", "ada"),
        ("own", "d2", "ada"),
        ("shared", "d3", "ada"),
        ("shared", "d4", "bob"),
        ("shared", "d5", "eve"),
        ("other", "d6", "bob"),
    )
    counts = await _erase(services, "ada")
    assert _users(services.messages) == ["bob", "eve", "bob"]
    assert (counts["messages"], counts["events"]) == (3, 2)


async def test_no_known_deliveries_are_not_all_of_them() -> None:
    """The ledger knows the person's part of an event, but no delivery yet: the others' messages stay."""
    services = Services(("shared", "d3", "ada"), ("shared", "d4", "bob"))
    services.unknown = {"ada"}
    await _erase(services, "ada")
    assert "bob" in _users(services.messages)
    assert services.erased == {("shared", "ada")}


async def test_the_ledger_knows_the_addresses_before_the_router_forgets_them() -> None:
    """Those that are stored, in both cases, and those that the caller names; asked again while there is more."""
    services = Services()
    begun: list[list[str]] = []

    def begin(wire: privacy_pb2.BeginErasureRequest) -> privacy_pb2.BeginErasureResponse:
        begun.append(list(wire.addresses))
        return services.begin(wire)

    def forget(_: router_pb2.EraseRecipientRequest) -> router_pb2.EraseRecipientResponse:
        begun.append(["erased"])
        return router_pb2.EraseRecipientResponse()

    services.privacy.BeginErasure, services.router_privacy.EraseRecipient = begin, forget
    await _erase(services, "ada")
    addresses = ["+254712345678", "Ada@example.com", "ada@example.com"]
    assert begun == [[], addresses, addresses, ["erased"]]
