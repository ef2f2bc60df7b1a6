"""The suppression list: normal forms, packed records, and which mail is stopped."""

import hashlib
from collections.abc import Callable

import pytest

from clarion.common.v1 import event_pb2
from services.domain import masking, suppression_list, topology
from services.domain.suppression_list import BOUNCED, COMPLAINED, MANUAL, UNSUBSCRIBED, SuppressionList
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
    """Every spelling of an address gives the same normal form."""
    assert suppression_list.normalised(channel, written) == form


def test_a_number_stored_with_its_trunk_prefix_stays_suppressed() -> None:
    """As versions stored it that did not know the countries' prefixes."""
    former = suppression_list.digest(KEYED, TENANT, SMS, "+4407911123456")
    key = topology.suppressions_key(TENANT, suppression_list.shard(former))
    published = {key: suppression_list.pack([(former, suppression_list.flag(MANUAL))])}
    knows = SuppressionList(published.get, KEYED)
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
    """The masked form shows enough to recognise an address, and no more."""
    assert masking.masked(address) == shown


def test_tenants_have_digests_of_their_own() -> None:
    """The digests of two tenants cannot be compared."""
    digests = {suppression_list.digest(KEYED, tenant, EMAIL, "a@b.c") for tenant in (TENANT, "other")}
    assert len(digests | {suppression_list.digest(KEYED, TENANT, SMS, "a@b.c")}) == 3


def test_every_packed_digest_is_found_and_no_other() -> None:
    """A match across two records does not count."""
    entries = [(b"\x00" + hashlib.sha256(bytes([number])).digest()[1:], number % 15 + 1) for number in range(200)]
    packed = suppression_list.pack(entries)
    assert len(packed) == 9 * 200
    assert [suppression_list.find(packed, full) for full, _ in entries] == [flags for _, flags in entries]
    assert suppression_list.find(packed, b"\x00" * 32) == 0
    assert suppression_list.find(None, b"\x00" * 32) == 0
    shifted = b"\x00" + packed[4:12] + b"\x00" * 23  # stands there, but not as a record
    assert suppression_list.find(packed, shifted) == 0


def _knows(**addresses: int) -> Callable[[str], bytes | None]:
    full = {
        suppression_list.digest(KEYED, TENANT, EMAIL, f"{name}@example.com"): flags for name, flags in addresses.items()
    }
    keys = {
        topology.suppressions_key(TENANT, suppression_list.shard(one)): suppression_list.pack([(one, flags)])
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
def test_which_mail_is_stopped(
    reasons: list[suppression_list.SuppressionReason], transactional: str, subscribed: str
) -> None:
    """An unsubscribed recipient still gets mail such as a receipt."""
    flags = sum([suppression_list.flag(one) for one in reasons])
    known = SuppressionList(_knows(ada=flags), KEYED)
    ada = event_pb2.Recipient(user_id="u", email="ADA@example.com")
    assert known.reason(TENANT, EMAIL, ada, subscribed=False) == transactional
    assert known.reason(TENANT, EMAIL, ada, subscribed=True) == subscribed
    assert known.reason(TENANT, SMS, ada, subscribed=True) == ""
    bob = event_pb2.Recipient(user_id="v", email="bob@example.com")
    assert known.reason(TENANT, EMAIL, bob, subscribed=True) == ""
