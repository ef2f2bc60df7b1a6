"""API keys as they are published."""

import pytest

from services.ingest.keys.api_key import ApiKey, api_key_of, api_key_value

_TENANT = "0192d3a4-0000-7000-8000-000000000001"


def test_a_plain_key_is_published_as_by_earlier_versions() -> None:
    """As the tenant's id alone: both versions read what the other one wrote, and neither rewrites it."""
    assert api_key_value(ApiKey(_TENANT)) == _TENANT.encode()
    assert api_key_of(_TENANT.encode()) == ApiKey(_TENANT, kind="api", scopes=(), expires_at_us=0)


@pytest.mark.parametrize(
    "key",
    [
        ApiKey(_TENANT, kind="other"),
        ApiKey(_TENANT, scopes=("live", "test")),
        ApiKey(_TENANT, expires_at_us=1),
    ],
)
def test_a_restricted_key_is_published_whole(key: ApiKey) -> None:
    """And not as something that an earlier version would take for a tenant's id."""
    assert api_key_of(api_key_value(key)) == key
    assert api_key_value(key).startswith(b"{")
    read = ApiKey(_TENANT, "".join(list(key.kind)), tuple(key.scopes), key.expires_at_us)  # as from a row
    assert api_key_value(read) == api_key_value(key)


def test_the_end_of_a_key() -> None:
    """From that microsecond on; a key without an end has none."""
    key = ApiKey(_TENANT, expires_at_us=100)
    assert [key.is_expired(now) for now in (99, 100, 101)] == [False, True, True]
    assert not ApiKey(_TENANT).is_expired(2**62)
