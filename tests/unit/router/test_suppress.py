"""Checks of requested suppressions."""

from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.router.v1 import suppressions_pb2
from runtime.errors import ClarionError, Code
from services.domain import suppression_list
from services.router.suppressions.suppress import MAX_ITEMS, checked
from tests.keyed import KEYED

TENANT = "0197a0b4-0000-7000-8000-000000000001"


def _new(address: str, reason: Any = suppression_list.BOUNCED, **more: Any) -> suppressions_pb2.NewSuppression:
    fields = {"tenant_id": TENANT, "channel": event_pb2.CHANNEL_EMAIL, "source": "resend", **more}
    return suppressions_pb2.NewSuppression(address=address, reason=reason, **fields)


def test_the_address_is_not_kept() -> None:
    """The digest of the normal form and the masked form are stored; the time defaults to now."""
    (one,) = checked([_new(" Ada@Example.ORG", detail="x" * 900)], KEYED, lambda: 7)
    assert one.digest == suppression_list.digest(KEYED, TENANT, event_pb2.CHANNEL_EMAIL, "ada@example.org")
    assert (one.masked, one.found_us, len(one.detail)) == ("a…@example.org", 7, 500)


@pytest.mark.parametrize(
    ("address", "detail", "kept"),
    [
        pytest.param("ada@example.org", "550 <ADA@example.org> unknown", "550 <a…@example.org> unknown", id="case"),
        pytest.param("ada@example.org", "no ada%40example.org here", "no a…@example.org here", id="percent"),
        pytest.param("o'ada=x@example.org", "no O'Ada=X@example.org", "no o…@example.org", id="odd-local-part"),
        pytest.param("ada@example.org", "she moved to eve@other.example.", "she moved to e…@other.example", id="other"),
        pytest.param("+254712345678", "21610 to +254712345678", "21610 to +254…678", id="number"),
        pytest.param("+254712345678", "to 254712345678", "to +254…678", id="number-without-plus"),
        pytest.param("+254712345678", "to +254 (712) 345-678", "to +254…678", id="readable-number"),
        pytest.param("+254712345678", "or 0712345678", "or 0712…", id="national-number"),
        pytest.param(
            "ada@example.org", "550 5.1.1 at 2026-04-22 12:30:00", "550 5.1.1 at 2026-04-22 12:30:00", id="no"
        ),
    ],
)
def test_no_note_holds_an_address(address: str, detail: str, kept: str) -> None:
    """Addresses in texts are masked, because suppressions are stored for ever."""
    channel = event_pb2.CHANNEL_EMAIL if "@" in address else event_pb2.CHANNEL_SMS
    (one,) = checked([_new(address, detail=detail, channel=channel)], KEYED)
    assert one.detail == kept


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        pytest.param(_new("nobody"), "address", id="no-address"),
        pytest.param(_new("a@b.example", tenant_id="x"), "tenant_id", id="no-tenant"),
        pytest.param(_new("a@b.example", channel=3), "channel", id="push"),
        pytest.param(_new("a@b.example", 0), "reason", id="no-reason"),
        pytest.param(_new("a@b.example", 77), "reason", id="unknown-reason"),
        pytest.param(_new("+254712345678", suppression_list.UNSUBSCRIBED, channel=2), "reason", id="unsubscribed-sms"),
        pytest.param(_new("a@b.example", source="x" * 51), "source", id="long-source"),
    ],
)
def test_what_cannot_be_is_refused(wanted: suppressions_pb2.NewSuppression, field: str) -> None:
    """The error names the field and its index."""
    with pytest.raises(ClarionError) as fault:
        checked([_new("ada@example.org"), wanted], KEYED)
    assert fault.value.code is Code.INVALID
    assert [name for name, _ in fault.value.fields] == [f"suppressions[1].{field}"]


@pytest.mark.parametrize("number", [0, MAX_ITEMS + 1])
def test_how_many_at_once_is_bounded(number: int) -> None:
    """From one to a thousand."""
    with pytest.raises(ClarionError) as fault:
        checked([_new("ada@example.org")] * number, KEYED)
    assert fault.value.code is Code.INVALID
