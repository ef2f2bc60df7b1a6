"""Counting refused requests: what is kept of a key, and how much is remembered at most."""

import hashlib

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from clarion.common.v1 import error_pb2
from gateway.refusals import counting, notes, reporting
from gateway.refusals.counting import Kind, Refusals
from gateway.refusals.notes import CALLER, MALFORMED_KEY, PRESENTED, Note, PresentedKey
from runtime.errors import ClarionError, Code
from services.domain.refused import Refused

MINUTE_US = 60_000_000
NOW_US = 29_000_000 * MINUTE_US


def key(text: str) -> PresentedKey:
    """A key as the gateway keeps it."""
    return PresentedKey.of(text, hashlib.sha256(text.encode()).digest())


def count(refusals: Refusals, at_us: int = NOW_US, **fields: object) -> None:
    """Count one refusal."""
    given: dict[str, object] = {
        "tenant_id": "",
        "key": None,
        "network": "192.0.2.0/24",
        "method": "POST",
        "route": "/api/v1/events/trigger",
        "status": 401,
        "note": Note(Refused.KEY_UNKNOWN),
        "trace_id": "t",
        **fields,
    }
    refusals.count(at_us, **given)  # type: ignore[arg-type]


def request(**headers: str) -> web.Request:
    """A request with these headers."""
    return make_mocked_request("POST", "/api/v1/events/trigger", headers=headers)


@pytest.mark.parametrize(
    ("text", "prefix", "last4"),
    [
        ("sk_live_" + "a1" * 20 + "wxyz", "sk_live_", "wxyz"),
        ("0123456789abcdef" * 4, "", "cdef"),
        ("hunter2", "", ""),
        ("correct_horse_battery", "", ""),
        ("abcdefghij" * 5, "", "ghij"),
    ],
)
def test_little_is_shown_of_an_unknown_key(text: str, prefix: str, last4: str) -> None:
    """A known sort of beginning and four characters; nothing of what may be somebody's password."""
    found = key(text)
    assert (found.prefix, found.last4) == (prefix, last4)


def test_alike_refusals_of_a_minute_are_one_entry() -> None:
    """With their number, the first and the last time, and what the last one said."""
    refusals = Refusals()
    for place in range(3):
        count(refusals, NOW_US + place, trace_id=f"t{place}", key=key("k" * 40))
    count(refusals, NOW_US + MINUTE_US, key=key("k" * 40))
    first, second = [wire for _, wire in refusals.take(10)]
    assert (first.count, first.first_at_us, first.last_at_us, first.trace_id) == (3, NOW_US, NOW_US + 2, "t2")
    assert second.count == 1
    assert refusals.take(10) == []


def test_a_flood_of_keys_from_one_network_is_a_few_entries() -> None:
    """Beyond eight keys a minute they are not told apart, and nothing is lost of their number."""
    refusals = Refusals()
    for number in range(1_000):
        count(refusals, key=key(f"{number:040}"))
    found = [wire for _, wire in refusals.take(100)]
    assert len(found) == counting.MAX_KEYS_OF_NETWORK + 1
    assert sum(one.count for one in found) == 1_000


def test_a_flood_from_many_networks_is_bounded() -> None:
    """Beyond two thousand entries only route, status and reason are told apart."""
    refusals = Refusals()
    for number in range(5_000):
        count(refusals, network=f"10.{number // 256}.{number % 256}.0/24", key=key(f"{number:040}"))
    found = [wire for _, wire in refusals.take(10_000)]
    assert len(found) == counting.MAX_ENTRIES + 1
    assert sum(one.count for one in found) == 5_000


def test_what_cannot_be_handed_in_is_kept_for_a_while() -> None:
    """It is added to what was counted since; after ten minutes it is dropped and counted as lost."""
    refusals = Refusals()
    count(refusals)
    taken = refusals.take(10)
    count(refusals, NOW_US + 5)
    assert refusals.put_back(taken, NOW_US + 10) == 0
    ((_, found),) = refusals.take(10)
    assert (found.count, found.first_at_us, found.last_at_us) == (2, NOW_US, NOW_US + 5)
    assert refusals.put_back([(taken[0][0], found)], NOW_US + counting.MAX_AGE_US + 10) == 2


def test_notes_hold_no_values() -> None:
    """Addresses and numbers in details and names of fields are masked."""
    one = request()
    detail = "ada@example.com and +44 7911 123456 are wrong"
    notes.note(one, ClarionError(Code.INVALID, detail, fields=[("variables.ada@example.com", "is not known here")]))
    found = notes.note_of(one, 422)
    assert found.reason is Refused.INVALID
    assert "example.com" not in found.detail + "".join(found.fields)
    assert "123456" not in found.detail


def test_the_reason_of_a_401() -> None:
    """No key, no key at all, an unknown one, a token, a wrong signature."""
    error = ClarionError(Code.UNAUTHENTICATED, "no")

    def reason(one: web.Request, refused: ClarionError = error) -> Refused:
        notes.note(one, refused)
        return notes.note_of(one, 401).reason

    assert reason(request()) is Refused.KEY_MISSING
    malformed = request()
    malformed[MALFORMED_KEY] = True
    assert reason(malformed) is Refused.KEY_MALFORMED
    unknown = request()
    unknown[PRESENTED] = "k", b"d"
    assert reason(unknown) is Refused.KEY_UNKNOWN
    assert reason(request(Authorization="Bearer t")) is Refused.TOKEN_INVALID
    unknown[CALLER] = "tenant"
    signature = ClarionError(Code.UNAUTHENTICATED, "no", fields=[("signature", "is wrong")])
    assert reason(unknown, signature) is Refused.SIGNATURE_WRONG


def test_the_reason_of_a_429() -> None:
    """A rate, a quota, or an address that failed too often."""
    rate = ClarionError(Code.LIMITED, "", limit=error_pb2.LimitState(window_s=60))
    quota = ClarionError(Code.LIMITED, "", limit=error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_BYTES))
    for error, wanted in (
        (rate, Refused.RATE_LIMITED),
        (quota, Refused.QUOTA),
        (ClarionError(Code.LIMITED, ""), Refused.TOO_MANY_FAILURES),
    ):
        one = request()
        notes.note(one, error)
        assert notes.note_of(one, 429).reason is wanted


@pytest.mark.parametrize(
    ("address", "wanted"),
    [("192.0.2.77", "192.0.2.0/24"), ("2001:db8:1:2::/64", "2001:db8:1:2::/64"), ("", "")],
)
def test_networks(address: str, wanted: str) -> None:
    """An address is not kept, its network is."""
    assert reporting.network(address) == wanted


def test_the_newest_entry_of_a_kind_has_its_reason() -> None:
    """An entry that is put back keeps reason, fields and detail."""
    refusals = Refusals()
    count(refusals, note=Note(Refused.INVALID, "user_id is required", ("user_id",)), status=422, tenant_id="t")
    taken = refusals.take(10)
    refusals.put_back(taken, NOW_US)
    ((kind, found),) = refusals.take(10)
    assert isinstance(kind, Kind)
    assert (found.reason, found.detail, list(found.fields)) == ("invalid", "user_id is required", ["user_id"])
