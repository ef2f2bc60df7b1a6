"""API keys as they are published."""

import msgspec
import pytest

from services.ingest.keys.api_key import ApiKey, api_key_of, api_key_value

_TENANT = "0192d3a4-0000-7000-8000-000000000001"
_KEY = "0192d3a4-0000-7000-8000-000000000002"


class _Earlier(msgspec.Struct):
    """A key as versions before migration 0017 read it."""

    tenant_id: str
    kind: str = "api"
    scopes: tuple[str, ...] = ()
    expires_at_us: int = 0


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
        ApiKey(_TENANT, id=_KEY),
        ApiKey(_TENANT, id=_KEY, expires_at_us=9, disabled=True),
        ApiKey(_TENANT, id=_KEY, endpoint_ids=(_TENANT,)),
    ],
)
def test_a_restricted_key_is_published_whole(key: ApiKey) -> None:
    """And not as something that an earlier version would take for a tenant's id."""
    assert api_key_of(api_key_value(key)) == key
    assert api_key_value(key).startswith(b"{")
    # As from a row.
    kind = "".join(list(key.kind))
    read = ApiKey(_TENANT, kind, tuple(key.scopes), key.expires_at_us, key.id, key.disabled, tuple(key.endpoint_ids))
    assert api_key_value(read) == api_key_value(key)


def test_the_end_of_a_key() -> None:
    """From that microsecond on; a key without an end has none."""
    key = ApiKey(_TENANT, expires_at_us=100)
    assert [key.is_expired(now) for now in (99, 100, 101)] == [False, True, True]
    assert not ApiKey(_TENANT).is_expired(2**62)


@pytest.mark.parametrize(
    ("key", "is_valid"),
    [
        (ApiKey(_TENANT, "other", ("live",), id=_KEY), True),
        (ApiKey(_TENANT, id=_KEY, disabled=True), False),
        (ApiKey(_TENANT, id=_KEY, endpoint_ids=(_TENANT,)), False),
    ],
)
def test_earlier_versions_refuse_what_they_do_not_know(key: ApiKey, is_valid: bool) -> None:  # noqa: FBT001
    """They read what is published, and take a key that is disabled or for some endpoints for one that has ended."""
    seen = msgspec.json.decode(api_key_value(key), type=_Earlier)
    assert (seen.tenant_id, seen.kind, seen.scopes) == (key.tenant_id, key.kind, key.scopes)
    assert (seen.expires_at_us == 0) is is_valid
