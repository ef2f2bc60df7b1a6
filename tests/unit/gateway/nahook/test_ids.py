"""Public ids: there and back, and what is none."""

import pytest

from gateway.dialects.nahook import ids
from runtime.errors import ClarionError, Code

UUID = "01a1fe7a-0000-7000-8000-0123456789ab"


def test_there_and_back() -> None:
    """A prefix and 32 digits."""
    assert ids.public(ids.ENDPOINT, UUID) == "ep_01a1fe7a0000700080000123456789ab"
    assert ids.private(ids.ENDPOINT, "ep_01a1fe7a0000700080000123456789ab") == UUID
    assert ids.public(ids.APPLICATION, "") == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ep_",
        "ep_1",
        UUID,
        f"ep_{UUID}",
        "del_01a1fe7a0000700080000123456789ab",
        "01a1fe7a0000700080000123456789ab",
        "ep_01A1FE7A0000700080000123456789AB",
        "ep_01a1fe7a0000700080000123456789ab\n",
        "ep_ep_01a1fe7a0000700080000123456789ab",
        "ep_\u06601a1fe7a0000700080000123456789ab",
    ],
)
def test_what_is_no_id_is_not_found(text: str) -> None:
    """As an id that nobody has: a caller is not told which of the two it is."""
    with pytest.raises(ClarionError) as caught:
        ids.private(ids.ENDPOINT, text)
    assert caught.value.code is Code.NOT_FOUND
