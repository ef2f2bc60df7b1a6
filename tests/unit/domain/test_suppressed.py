"""Suppressed addresses: one form each, found in packed records, stopped for the right mail."""

import hashlib
from collections.abc import Callable

import pytest

from clarion.common.v1 import event_pb2
from services.domain import suppressed, topology
from services.domain.suppressed import BOUNCED, COMPLAINED, MANUAL, UNSUBSCRIBED, Suppressed
from tests.keyed import KEYED

EMAIL, SMS, PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH
TENANT = "0197a0b4-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("channel", "written", "form"),
    [
        pytest.param(EMAIL, " Ada@Example.COM ", "ada@example.com", id="case-and-blanks"),
        pytest.param(EMAIL, "ada@bücher.example", "ada@xn--bcher-kva.example", id="domain-in-another-script"),
        pytest.param(EMAIL, "ada@bücher.example.", "ada@xn--bcher-kva.example", id="final-dot"),
        pytest.param(EMAIL, "\u202aAda@example.com\u202c\n", "ada@example.com", id="marks-and-a-line-end"),
        pytest.param(EMAIL, "jose\u0301@example.com", "josé@example.com", id="composed"),
        pytest.param(EMAIL, "no address", "", id="no-address"),
        pytest.param(EMAIL, "a@b@c", "", id="two-at-signs"),
        pytest.param(EMAIL, "a@.", "", id="no-domain"),
        pytest.param(SMS, "+254 (712) 345-678", "+254712345678", id="readable-number"),
        pytest.param(
            SMS, "\uff0b\uff12\uff15\uff14 712\u202f345\u00a0678", "+254712345678", id="number-in-wide-digits"
        ),
        pytest.param(SMS, "tel:+254-712-345-678", "+254712345678", id="tel-uri"),
        pytest.param(SMS, "0712345678", "", id="no-country"),
        pytest.param(PUSH, "ada", "", id="push-has-none"),
    ],
)
def test_an_address_has_one_form(channel: event_pb2.Channel.ValueType, written: str, form: str) -> None:
    """However it is written."""
    assert suppressed.normalised(channel, written) == form


def test_a_number_stored_with_its_trunk_prefix_stays_suppressed() -> None:
    """As versions stored it that did not know the countries' prefixes."""
    former = suppressed.digest(KEYED, TENANT, SMS, "+4407911123456")
    key = topology.suppressions_key(TENANT, suppressed.shard(former))
    published = {key: suppressed.pack([(former, suppressed.flag(MANUAL))])}
    knows = Suppressed(published.get, KEYED)
    for written in ("+44 07911 123456", "+4407911123456"):
        recipient = event_pb2.Recipient(phone=written)
        assert knows.reason(TENANT, SMS, recipient, subscribed=False) == "suppressed_manual"
    recipient = event_pb2.Recipient(phone="+447911123457")
    assert not knows.reason(TENANT, SMS, recipient, subscribed=False)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        pytest.param("ada@example.com", "a…@example.com", id="email"),
        pytest.param("+254712345678", "+254…678", id="number"),
        pytest.param("a@example.com", "…@example.com", id="one-letter"),
        pytest.param("ad@example.com", "…@example.com", id="two-letters"),
        pytest.param("+2901234", "+290…", id="short-number"),
    ],
)
def test_what_is_shown_hides_the_person(address: str, shown: str) -> None:
    """Enough to recognise it by, no more."""
    assert suppressed.masked(address) == shown


def test_tenants_have_digests_of_their_own() -> None:
    """Two tenants' lists cannot be laid side by side."""
    digests = {suppressed.digest(KEYED, tenant, EMAIL, "a@b.c") for tenant in (TENANT, "other")}
    assert len(digests | {suppressed.digest(KEYED, TENANT, SMS, "a@b.c")}) == 3


def test_every_packed_digest_is_found_and_no_other() -> None:
    """Also where a digest's bytes stand across two records."""
    entries = [(b"\x00" + hashlib.sha256(bytes([number])).digest()[1:], number % 15 + 1) for number in range(200)]
    packed = suppressed.pack(entries)
    assert len(packed) == 9 * 200
    assert [suppressed.find(packed, full) for full, _ in entries] == [flags for _, flags in entries]
    assert suppressed.find(packed, b"\x00" * 32) == 0
    assert suppressed.find(None, b"\x00" * 32) == 0
    shifted = b"\x00" + packed[4:12] + b"\x00" * 23  # stands there, but not as a record
    assert suppressed.find(packed, shifted) == 0


def _knows(**addresses: int) -> Callable[[str], bytes | None]:
    full = {suppressed.digest(KEYED, TENANT, EMAIL, f"{name}@example.com"): flags for name, flags in addresses.items()}
    keys = {
        topology.suppressions_key(TENANT, suppressed.shard(one)): suppressed.pack([(one, flags)])
        for one, flags in full.items()
    }
    return keys.get


@pytest.mark.parametrize(
    ("reasons", "transactional", "subscribed"),
    [
        pytest.param([], "", "", id="nothing"),
        pytest.param([BOUNCED], "suppressed_bounced", "suppressed_bounced", id="bounced"),
        pytest.param([COMPLAINED, BOUNCED], "suppressed_complained", "suppressed_complained", id="complained-first"),
        pytest.param([MANUAL], "suppressed_manual", "suppressed_manual", id="manual"),
        pytest.param([UNSUBSCRIBED], "", "suppressed_unsubscribed", id="unsubscribed"),
        pytest.param([UNSUBSCRIBED, MANUAL], "suppressed_manual", "suppressed_manual", id="unsubscribed-and-manual"),
    ],
)
def test_which_mail_is_stopped(reasons: list[suppressed.Reason], transactional: str, subscribed: str) -> None:
    """Whoever unsubscribed still gets the receipt of an order."""
    flags = sum([suppressed.flag(one) for one in reasons])
    known = Suppressed(_knows(ada=flags), KEYED)
    ada = event_pb2.Recipient(user_id="u", email="ADA@example.com")
    assert known.reason(TENANT, EMAIL, ada, subscribed=False) == transactional
    assert known.reason(TENANT, EMAIL, ada, subscribed=True) == subscribed
    assert known.reason(TENANT, SMS, ada, subscribed=True) == ""
    bob = event_pb2.Recipient(user_id="v", email="bob@example.com")
    assert known.reason(TENANT, EMAIL, bob, subscribed=True) == ""
