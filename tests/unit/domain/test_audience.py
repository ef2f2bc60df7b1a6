"""Whom an event is for: what tells its recipients apart."""

import pytest

from clarion.common.v1 import event_pb2
from runtime.ids import derived_id
from services.domain import audience
from services.domain.delivery_ids import delivery_id

_IDS = ["ada", "#0", "#12", "##0", "#", "#-ada", "-ada", "##-ada", "0"]


def test_nobody_is_taken_for_somebody_else() -> None:
    """Whatever ids a tenant gives: not for a recipient without an id, nor for somebody who is excluded."""
    places = [audience.destination(event_pb2.Recipient(email="x@example.org"), place) for place in (0, 12)]
    users = [audience.destination(event_pb2.Recipient(user_id=id_)) for id_ in _IDS]
    excluded = list(map(audience.of_excluded, _IDS))
    assert places == ["#0", "#12"]
    assert len({*places, *users, *excluded}) == len(places) + len(users) + len(excluded)


@pytest.mark.parametrize("user_id", _IDS)
def test_an_id_is_found_again(user_id: str) -> None:
    """From what stands for it; nearly every id stands for itself."""
    assert audience.user_id_of(audience.of_user(user_id)) == user_id
    assert (audience.of_user(user_id) == user_id) is not user_id.startswith("#")


@pytest.mark.parametrize("user_id", _IDS)
def test_ids_of_the_first_scheme_stay(user_id: str) -> None:
    """A delivery of an event of the version before has the id that it got then, whatever its recipient's id is."""
    event = event_pb2.Event(id="e1", recipient=event_pb2.Recipient(user_id=user_id))
    found = delivery_id(event, event_pb2.CHANNEL_SMS, audience.destination(event.recipient), step="sms")
    assert found == derived_id("e1", user_id, str(event_pb2.CHANNEL_SMS))
