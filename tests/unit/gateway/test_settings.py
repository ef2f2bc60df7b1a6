"""The gateway's settings: what stops its start."""

import pytest

from gateway.settings import Settings
from runtime.settings import SettingsError, load

_ADDRESSES = {
    f"CLARION_{name}_ADDRESS": "127.0.0.1:1" for name in ("HTTP", "INGEST", "ROUTER", "RENDER", "SENDERS", "REALTIME")
}
_ENVIRON = {
    **_ADDRESSES,
    "CLARION_ADMIN_TOKEN": "a" * 32,
    "CLARION_SERVICE_TOKEN": "t" * 32,
    "CLARION_CENTRIFUGO_URL": "http://127.0.0.1:1",
}


@pytest.mark.parametrize("url", ["", "https://notify.example.com", "https://notify.example.com:8443/"])
def test_a_public_url_is_that_of_a_host(url: str) -> None:
    """With or without the slash at its end."""
    assert load(Settings, {**_ENVIRON, "CLARION_PUBLIC_URL": url}).public_url == url


@pytest.mark.parametrize(
    "url", ["notify.example.com", "ftp://x.example", "https://x.example/?a=1", "https://x.example/clarion"]
)
def test_any_other_public_url_stops_the_start(url: str) -> None:
    """Below a path the pages of the portal would not find each other."""
    with pytest.raises(SettingsError, match=r"CLARION_PUBLIC_URL must be of the form https://notify\.example\.com"):
        load(Settings, {**_ENVIRON, "CLARION_PUBLIC_URL": url})


_ISSUER = {"oidc_issuer": "https://id.example.com"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"oidc_issuer": "http://id.example.com"}, "CLARION_OIDC_ISSUER"),
        ({}, "CLARION_OIDC_CLIENT_ID"),
        ({"oidc_client_id": "c", "oidc_default_role": "king"}, "CLARION_OIDC_DEFAULT_ROLE"),
        ({"oidc_client_id": "c", "oidc_default_role": "viewer"}, "CLARION_OIDC_DOMAINS"),
    ],
)
def test_an_identity_provider_lets_nobody_in_by_mistake(values: dict[str, str], named: str) -> None:
    """What is missing or unsafe is named at the start."""
    given = {f"CLARION_{name.upper()}": value for name, value in {**_ISSUER, **values}.items()}
    with pytest.raises(SettingsError, match=named):
        load(Settings, {**_ENVIRON, **given})
