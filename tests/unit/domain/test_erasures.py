"""Who was erased: known by a user id only."""

from clarion.common.v1 import event_pb2
from services.domain import erasures
from services.domain.pseudonyms import unkeyed
from tests.keyed import KEYED


def test_nobody_is_erased_with_everybody_who_has_no_user_id() -> None:
    """People who are known by an address only share the empty user id."""
    known = erasures.Erasures(KEYED)
    for user_id in ("", "u1"):
        key = erasures.key("t1", KEYED.erasure(unkeyed("t1", user_id)))
        known.on_change(key, b'{"id": "x", "at_us": 10}')
    assert known.find("t1", "u1", 10) is not None
    assert known.find("t1", "u1", 11) is None
    assert known.find("t1", "", 10) is None


def test_a_delivery_to_an_endpoint_is_about_its_events_recipient() -> None:
    """It has no recipient of its own; of an event for several people, or for nobody, it is sent."""
    known = erasures.Erasures(KEYED)
    known.on_change(erasures.key("t1", KEYED.erasure(unkeyed("t1", "u1"))), b'{"id": "x", "at_us": 10}')

    def refusal(user_id: str, accepted_us: int = 10) -> str:
        webhook = event_pb2.Webhook(endpoint_id="e", user_id=user_id)
        return known.refusal(event_pb2.Delivery(tenant_id="t1", webhook=webhook, accepted_at_us=accepted_us))

    assert (refusal("u1"), refusal("u1", 11), refusal("u2"), refusal("")) == ("recipient_erased", "", "", "")
