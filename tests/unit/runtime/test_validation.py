"""Explanations of what is wrong with JSON."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from runtime.settings import Secret
from runtime.validation import description, fault, json_fault


class _Inner(msgspec.Struct, forbid_unknown_fields=True):
    port: Annotated[int, Meta(ge=1, le=65535)] = 1


class _Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    inner: _Inner | UnsetType = UNSET
    maybe: _Inner | None = None
    many: list[_Inner] = []
    named: dict[str, _Inner] = {}
    free: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (int, "must be a whole number"),
        (Annotated[int, Meta(ge=1, le=65535)], "must be a whole number from 1 to 65,535"),
        (Annotated[int, Meta(ge=1)], "must be a whole number of at least 1"),
        (Annotated[int, Meta(le=9)], "must be a whole number of at most 9"),
        (float, "must be a number"),
        (Annotated[float, Meta(ge=0, le=1)], "must be a number from 0 to 1"),
        (str, "must be a string"),
        (Annotated[str, Meta(min_length=1, max_length=255)], "must be a string of 1 to 255 characters"),
        (Annotated[str, Meta(max_length=9)], "must be a string of at most 9 characters"),
        (Annotated[str, Meta(min_length=2)], "must be a string of at least 2 characters"),
        (Annotated[str, Meta(pattern="^a$", description="an a")], "must be an a"),
        (bool, "must be true or false"),
        (Literal["none", "tls"], "must be one of none, tls"),
        (list[int], "must be a list"),
        (Annotated[list[int], Meta(max_length=3)], "must be a list of at most 3 items"),
        (tuple[float, ...], "must be a list"),
        (dict[str, Any], "must be a JSON object"),
        (_Inner, "must be a JSON object"),
        (Secret, "must be a string"),
        (str | None, "must be a string or null"),
        (Annotated[int, Meta(ge=0)] | None, "must be a whole number of at least 0 or null"),
    ],
    ids=str,
)
def test_a_type_is_described(kind: Any, text: str) -> None:
    """With all of its limits."""
    assert description(kind) == text


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        ("{}", "name", "is required"),
        ('{"name":"x","nmae":1}', "nmae", "is not known here"),
        ('{"name":7}', "name", "must be a string"),
        ('{"name":"x","inner":{"port":0}}', "inner.port", "must be a whole number from 1 to 65,535"),
        ('{"name":"x","inner":{"prot":1}}', "inner.prot", "is not known here"),
        ('{"name":"x","inner":[]}', "inner", "must be a JSON object"),
        ('{"name":"x","maybe":{"port":"1"}}', "maybe.port", "must be a whole number from 1 to 65,535"),
        ('{"name":"x","many":[{},{"port":70000}]}', "many[1].port", "must be a whole number from 1 to 65,535"),
        ('{"name":"x","named":{"a":{"port":1e9}}}', "named.*.port", "must be a whole number from 1 to 65,535"),
        ('{"name":"x","free":{"a":[1,1e999]}}', "free.*[1]", "is a number that is out of range"),
        ("[]", "", "must be a JSON object"),
    ],
)
def test_a_mistake_has_its_path(body: str, field: str, text: str) -> None:
    """Both limits are named, whichever was missed, and nothing of msgspec's message is left."""
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(body, type=_Outer)
    assert fault(caught.value, _Outer) == (field, text)


def test_an_unexplained_mistake_has_a_general_message() -> None:
    """A path that the type does not have, and an exception without a path."""
    assert fault(msgspec.ValidationError("Expected `x` - at `$.nowhere[0]`"), _Outer) == (
        "nowhere[0]",
        "is not what is expected here",
    )
    assert json_fault(ValueError("some day, some library")) == ""
