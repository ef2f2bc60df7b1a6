"""The filters of segments: what they may be, and what becomes of them."""

import json
from typing import Any

import pytest

from runtime.errors import ClarionError, Code
from services.router.segments import filter as filters
from services.router.segments.condition import condition_of
from services.router.segments.filter import EVERYBODY, All, Either, Not, parse

_VIP = {"field": "tags", "op": "has_all", "value": ["vip"]}


def _parsed(written: Any) -> Any:
    return parse(json.dumps(written).encode())


def _nested(depth: int) -> Any:
    return {"not": _nested(depth - 1)} if depth > 1 else _VIP


def test_a_filter_is_read() -> None:
    """In all its forms."""
    written = {"all": [_VIP, {"any": [{"not": {"field": "data.a.b", "op": "more", "value": 1.5}}]}]}
    vip = filters.Test("tags", "has_all", ("vip",))
    assert _parsed(written) == All((vip, Either((Not(filters.Test("data.a.b", "more", 1.5)),))))
    assert _parsed({"all": []}) == EVERYBODY
    assert _parsed(_nested(6)).part


@pytest.mark.parametrize(
    ("written", "at"),
    [
        (None, "filter"),
        ([], "filter"),
        ({}, "filter"),
        ({"all": [], "any": []}, "filter"),
        ({"all": [_VIP, {"field": "name"}]}, "filter.all[1]"),
        ({"any": [{"not": {"field": "password", "op": "is", "value": "x"}}]}, "filter.any[0].not.field"),
        ({"field": "name", "op": "regex", "value": "x"}, "filter.op"),
        ({"field": "name", "op": "is", "value": ""}, "filter.value"),
        ({"field": "name", "op": "is", "value": "x" * 256}, "filter.value"),
        ({"field": "name", "op": "is", "value": "\0"}, "filter.value"),
        ({"field": "name", "op": "in", "value": []}, "filter.value"),
        ({"field": "name", "op": "in", "value": ["x"] * 101}, "filter.value"),
        ({"field": "data.", "op": "is", "value": "x"}, "filter.field"),
        ({"field": "data.a..b", "op": "is", "value": "x"}, "filter.field"),
        ({"field": "data.a.b.c.d.e.f", "op": "is", "value": "x"}, "filter.field"),
        ({"field": "data.a", "op": "less", "value": True}, "filter.value"),
        ({"field": "data.a", "op": "before", "value": "30.11.2026"}, "filter.value"),
        ({"field": "data.a", "op": "is", "value": {"a": 1}}, "filter.value"),
        ({"field": "muted_channels", "op": "has_any", "value": ["FAX"]}, "filter.value"),
        ({"field": "created_at", "op": "before", "value": "2026-11-30T12:00:00"}, "filter.value"),
        ({"field": "created_at", "op": "before", "value": "0001-01-01T00:00:00+14:00"}, "filter.value"),
        ({"field": "created_at", "op": "within", "value": 0}, "filter.value"),
        (_nested(7), "filter.not.not.not.not.not.not"),
        ({"all": [_VIP] * 51}, "filter.all"),
        ({"all": [{"all": [_VIP] * 26}] * 2}, "filter"),
    ],
)
def test_what_is_wrong_is_told_where(written: Any, at: str) -> None:
    """By the path of the part that is wrong."""
    with pytest.raises(ClarionError) as refused:
        _parsed(written)
    assert refused.value.code is Code.INVALID
    assert at in [field for field, _ in refused.value.fields]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 100_000, b'{"all":[' + b" " * 20_000 + b"]}"])
def test_what_is_no_json(raw: bytes) -> None:
    """Or too long."""
    with pytest.raises(ClarionError):
        parse(raw)


def test_what_a_tenant_wrote_is_an_argument() -> None:
    """Nothing of it stands in the condition, neither a value nor the name of a field."""
    hostile = "'); DROP TABLE x; -- {x} $6"
    written = {
        "any": [
            {"field": "name", "op": "contains", "value": hostile},
            {"field": "tags", "op": "has_any", "value": [hostile]},
            {"field": "groups", "op": "has_all", "value": [hostile]},
            {"field": f"data.{hostile}", "op": "in", "value": [hostile, 1, True]},
            {"field": f"data.{hostile}", "op": "has", "value": hostile},
        ]
    }
    condition = condition_of(_parsed(written))
    assert "DROP" not in condition.sql
    numbers = {f"${number}" for number in range(6, 6 + len(condition.arguments))}
    assert all(number in condition.sql for number in numbers)
    assert f"${6 + len(condition.arguments)}" not in condition.sql


def test_a_filter_that_asks_for_a_tag() -> None:
    """Only if all whom it matches have it: these alone are looked at."""
    other = {"field": "name", "op": "is", "value": "x"}
    tags = [
        condition_of(_parsed(one)).tag
        for one in (_VIP, {"all": [other, _VIP]}, {"any": [_VIP]}, {"not": _VIP}, {**_VIP, "op": "has_any"})
    ]
    assert tags == ["vip", "vip", "", "", ""]
