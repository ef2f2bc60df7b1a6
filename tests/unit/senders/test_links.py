"""Links that only we can make: callbacks' secrets, unsubscribe links, and who may have changed them."""

import pytest

from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.senders.reports.links import Links, Subscription, check_public_url
from tests.unit.senders.builders import encryption_key

OLD, NEW, OTHER = encryption_key(), encryption_key(), encryption_key()
URL = "https://notify.example.com"
WHO = Subscription(new_id(), new_id(), new_id(), "zoë@example.com")


def _token(links: Links) -> str:
    return links.unsubscribe_url(WHO).rpartition("/")[2]


def test_a_callback_is_known_by_its_secret() -> None:
    """Each provider has its own; the keys' rotation keeps the old one for as long as the old key is there."""
    links, provider = Links(Vault(OLD), URL + "/"), new_id()
    url = links.callback_url(provider)
    secret = url.rpartition("/")[2]
    assert url == f"{URL}/callbacks/{provider}/{secret}"
    assert len(secret) == 32
    assert links.is_callback(provider, secret)
    assert Links(Vault(NEW, OLD), URL).is_callback(provider, secret)
    assert not Links(Vault(NEW), URL).is_callback(provider, secret)
    assert not links.is_callback(new_id(), secret)
    assert not links.is_callback(provider, "")
    assert not links.is_callback(provider, "\udcff")


def test_an_unsubscribe_link_is_read_back_and_always_the_same() -> None:
    """A retry sends what the first attempt sent: providers refuse another body under the same idempotency key."""
    links = Links(Vault(OLD), URL)
    assert links.unsubscribe_url(WHO) == links.unsubscribe_url(WHO)
    assert links.read(_token(links)) == WHO
    assert Links(Vault(NEW, OLD), URL).read(_token(links)) == WHO
    assert WHO.address not in links.unsubscribe_url(WHO)


def test_without_a_public_address_there_is_no_link() -> None:
    """Without the public URL it would lead nowhere."""
    assert Links(Vault(OLD), "").unsubscribe_url(WHO) == ""


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("", id="empty"),
        pytest.param("AAAA", id="short"),
        pytest.param("%%%", id="no-base64"),
        pytest.param("é", id="no-ascii"),
        pytest.param("A" * 2000, id="long"),
        pytest.param(_token(Links(Vault(OLD), URL))[:-4], id="cut"),
        pytest.param("B" + _token(Links(Vault(OLD), URL))[1:], id="changed"),
        pytest.param(_token(Links(Vault(OTHER), URL)), id="of-another-key"),
    ],
)
def test_what_is_not_ours_is_not_found(token: str) -> None:
    """Tokens that are cut off, changed, invented, or made by another installation."""
    with pytest.raises(ClarionError) as fault:
        Links(Vault(OLD), URL).read(token)
    assert fault.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("text", ["notify.example.com", "ftp://x.example", "https://", "https://x.example/?a=1"])
def test_a_public_address_is_one(text: str) -> None:
    """A wrong URL stops the start; it is not sent in mail."""
    with pytest.raises(ValueError, match="must be of the form"):
        check_public_url(text)
    assert check_public_url("") == ""
    assert check_public_url(URL) == URL
