"""Which deliveries must wait, by what is published."""

import json
from typing import Any

import msgspec
import pytest

from services.domain import topology
from services.domain.endpoints import Endpoint, State
from services.senders.webhooks.parking.book import DEFAULT_BOUND, EndpointBook
from services.senders.webhooks.parking.ports import EndpointKey
from tests.unit.senders.builders import TENANT
from tests.unit.senders.webhooks.builders import delivery
from tests.unit.senders.webhooks.parking.fakes import KnownEndpoints

KEY = EndpointKey(TENANT, "018f1a2c-0000-7000-8000-00000000e001")


class Book:
    """A book, and what it called back with."""

    def __init__(self) -> None:
        self.known = KnownEndpoints()
        published: Any = self.known
        self.book = EndpointBook(published)
        self.enabled: list[EndpointKey] = []
        self.changed: list[EndpointKey] = []
        self.book.on_enabled = self.enabled.append
        self.book.on_changed = self.changed.append

    def put(self, **fields: Any) -> None:
        """Publish the endpoint."""
        endpoint = Endpoint(id=KEY.endpoint_id, environment_id="e1", **fields)
        self.known.endpoints[KEY] = endpoint
        self.book.on_change(topology.endpoint_key(*KEY), msgspec.json.encode(endpoint))

    def reason(self) -> str:
        """Why a delivery to the endpoint must wait."""
        waiting = self.book.must_wait(delivery(KEY.endpoint_id))
        return waiting.reason if waiting is not None else ""


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, ""),
        ({"active": False}, "endpoint_disabled"),
        ({"active": False, "mode": "polled"}, "endpoint_disabled"),
        ({"mode": "polled"}, "polled"),
        ({"mode": "ordered"}, "in_order"),
        ({"rate_per_s": 5}, "endpoint_busy"),
    ],
)
def test_what_an_endpoint_says(fields: dict[str, Any], reason: str) -> None:
    """Its settings alone."""
    book = Book()
    assert book.reason() == "", "what is not published is found out by the attempt"
    book.put(**fields)
    assert book.reason() == reason


def test_while_the_breaker_is_open() -> None:
    """And during the slow start; being full alone does not make it wait."""
    book = Book()
    book.put()
    key = topology.endpoint_state_key(*KEY)
    for state, reason in (("open", "endpoint_down"), ("draining", "endpoint_down"), ("", "")):
        book.book.on_change(key, msgspec.json.encode(State(state, 1, full=True)))
        assert book.reason() == reason
    book.book.on_change(key, msgspec.json.encode(State("open", 1)))
    book.book.on_change(key, None)
    assert book.reason() == ""


def test_changes_wake() -> None:
    """Not what is read at the start; enabling is told apart from other changes."""
    book = Book()
    book.put(active=False)
    assert (book.enabled, book.changed) == ([], [])
    book.put(active=True)
    assert (book.enabled, book.changed) == ([KEY], [])
    book.put(active=True, url="https://hooks.example.org/new")
    book.book.on_change(topology.endpoint_key(*KEY), None)
    assert (book.enabled, book.changed) == ([KEY], [KEY, KEY])


def test_bounds_of_tenants() -> None:
    """As published; else the default. What cannot be read changes nothing."""
    book = Book().book
    key = topology.tenant_key(TENANT)
    assert book.backlog_bound(TENANT) == DEFAULT_BOUND
    book.on_change(key, json.dumps({"id": TENANT, "max_parked_per_endpoint": 7}).encode())
    book.on_change(key, b"{")
    assert book.backlog_bound(TENANT) == 7
    book.on_change(key, json.dumps({"id": TENANT}).encode())
    assert book.backlog_bound(TENANT) == DEFAULT_BOUND
