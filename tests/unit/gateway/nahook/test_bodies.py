"""Strict JSON: one text, one meaning."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import FIELDS
from gateway.dialects.nahook import bodies
from gateway.dialects.nahook.errors import ApiError
from runtime.nesting import MAX_DEPTH
from tests.unit.gateway.test_forms import post

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('aé€\n"\\'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)


class Named(bodies.Body, kw_only=True):
    """A body with a field of two words."""

    full_name: str


def refusal(raw: bytes) -> str:
    """Return why JSON is refused."""
    with pytest.raises(ApiError) as caught:
        bodies.check(raw)
    assert (caught.value.status, caught.value.code) == (400, "bad_request")
    return caught.value.message


@given(_JSON)
def test_json_is_taken(value: Any) -> None:
    """Whatever has one meaning."""
    assert bodies.check(json.dumps(value).encode()) == msgspec.json.decode(json.dumps(value).encode())


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "ends too early"),
        (b'{"a": 1} x', "byte"),
        (b'{"a": NaN}', "byte"),
        (b'{"a": Infinity}', "byte"),
        (b'{"a": 1e999}', "out of range"),
        (b'{"a": "\xff"}', "UTF-8"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', 'two keys "c"'),
        (b'[{"a": 1, "\\u0061": 2}]', 'two keys "a"'),
        (b"{'a': 1}", "byte"),
        (b"[" * 200_000, "nested"),
    ],
)
def test_what_has_no_one_meaning_is_refused(raw: bytes, says: str) -> None:
    """With a reason."""
    assert says in refusal(raw)


def test_nesting_has_a_limit() -> None:
    """The levels that the API itself needs do not count."""

    def nested(levels: int) -> bytes:
        return b'{"a":' * levels + b"1" + b"}" * levels

    bodies.check(nested(MAX_DEPTH))
    bodies.check(nested(MAX_DEPTH + 1), around=1)
    assert "levels" in refusal(nested(MAX_DEPTH + 1))


def test_a_wrong_field_is_named_as_the_caller_wrote_it() -> None:
    """In camel case; unknown fields do not matter."""
    assert bodies.convert(b'{"fullName": "Ada", "unknown": 1}', Named).full_name == "Ada"
    for raw, says in ((b"{}", "fullName is required"), (b'{"fullName": 1}', "fullName must be a string")):
        with pytest.raises(ApiError) as caught:
            bodies.convert(raw, Named)
        assert caught.value.message == says


async def test_the_audit_log_is_told_the_fields_that_the_body_type_has() -> None:
    """Not the names of others, which may be as many and as long as their sender likes."""
    unknown = {f"f{number}": 1 for number in range(100)} | {"n" * 600: 1, "a\0": 1}
    request = post({**unknown, "fullName": "Ada"})
    assert (await bodies.read(request, Named)).full_name == "Ada"
    assert request[FIELDS] == ("fullName",)
