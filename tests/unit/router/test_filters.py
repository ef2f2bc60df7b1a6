"""Filters of subscriptions: what they see, what they may say, and what they may take."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import ClarionError, Code
from services.router import filters
from services.router.filters import MAX_BYTES, MAX_DEPTH, MAX_NODES, check_filter, compiled, document, outcome
from tests.unit.router.planning import an_event

_PAID = {"==": [{"var": "payload.status"}, "paid"]}
_BODY = b'{"status":"paid","total":120,"items":[{"sku":"a"},{"sku":"b"}],"note":null}'


def _matches(rule: Any, body: bytes = _BODY, metadata: dict[str, str] | None = None) -> bool:
    """Return whether a rule matches an event. AssertionError: it failed."""
    found = outcome({"e": check_filter(json.dumps(rule))}, document("order.paid", body, metadata or {}))
    assert not found.errors
    return not found.unmatched


def _fails(rule: Any, body: bytes = _BODY) -> str:
    """Return why a rule that failed did."""
    found = outcome({"e": check_filter(json.dumps(rule))}, document("order.paid", body, {}))
    assert found.unmatched == {"e"}
    return found.errors["e"]


@pytest.mark.parametrize(
    ("rule", "is_matched"),
    [
        (_PAID, True),
        ({"===": [{"var": "payload.status"}, "open"]}, False),
        ({"==": [{"var": "type"}, "order.paid"]}, True),
        ({"==": [{"var": "metadata.source"}, "shop"]}, True),
        ({">": [{"var": "payload.total"}, 100]}, True),
        ({">": [{"var": "payload.missing"}, 100]}, False),
        ({"<": [100, {"var": "payload.total"}, 200]}, True),
        ({"and": [_PAID, {"!": [{"var": "payload.note"}]}]}, True),
        ({"or": [{"==": [{"var": "payload.status"}, "open"]}, False]}, False),
        ({"in": [{"var": "payload.status"}, ["paid", "open"]]}, True),
        ({"in": ["ai", {"var": "payload.status"}]}, True),
        ({"some": [{"var": "payload.items"}, {"==": [{"var": "sku"}, "b"]}]}, True),
        ({"all": [{"var": "payload.items"}, {"==": [{"var": "sku"}, "b"]}]}, False),
        ({"none": [{"var": "payload.items"}, {"==": [{"var": "sku"}, "c"]}]}, True),
        ({"missing": ["payload.status", "payload.vat"]}, True),
        ({"if": [_PAID, {"var": "payload.items.1.sku"}, False]}, True),
        ({"==": [{"reduce": [{"var": "payload.items"}, {"+": [1, {"var": "accumulator"}]}, 0]}, 2]}, True),
        ({"==": [{"map": [{"var": "payload.items"}, {"var": "sku"}]}, 7]}, False),
        ({"==": [{"cat": [{"var": "payload.status"}, "!"]}, "paid!"]}, True),
        ({"==": [{"substr": [{"var": "payload.status"}, 0, 2]}, "pa"]}, True),
        ({"==": [{"var": "payload.status"}, 1]}, False),
        ({"var": "payload.items"}, True),
        ({"var": "payload.note"}, False),
    ],
)
def test_rules(rule: Any, is_matched: bool) -> None:  # noqa: FBT001 - a row
    """The operators of jsonlogic.com, over type, payload and metadata."""
    assert _matches(rule, metadata={"source": "shop"}) is is_matched


@pytest.mark.parametrize(
    ("rule", "description"),
    [
        ("{", "must be JSON"),
        ("[" * 100_000, "must have at most 8192 bytes"),
        ("[" * 3000, "must be JSON"),
        ("[]", "must be an object with one operator"),
        ("true", "must be an object with one operator"),
        ("{}", "must be an object with one operator"),
        ('{"==":[1,1],"!=":[1,1]}', "must be an object with one operator"),
        ('{"and":[{"eq":[1,1]}]}', "at /and/0: unknown operator `eq`"),
        ('{"log":1}', "unknown operator `log`"),
        ('{"method":["a","upper"]}', "unknown operator `method`"),
        ('{"throw":"x"}', "unknown operator `throw`"),
        ('{"now":[]}', "unknown operator `now`"),
        ('{"and":[{"a":1,"b":2}]}', "an object with 2 keys"),
        (json.dumps({"in": [1, [1] * MAX_NODES]}), f"at most {MAX_NODES} values"),
        ('{"!":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, f"at most {MAX_DEPTH} levels"),
        (json.dumps({"==": ["x" * MAX_BYTES, 1]}), f"at most {MAX_BYTES} bytes"),
        (b"\xff", "must be JSON"),
    ],
)
def test_what_is_no_rule(rule: str | bytes, description: str) -> None:
    """It is refused where a subscription is made, with what is wrong; one that is stored anyway matches nothing."""
    with pytest.raises(ClarionError) as caught:
        check_filter(rule, "subscriptions[0].filter")
    assert caught.value.code is Code.INVALID
    ((field, found),) = caught.value.fields
    assert field == "subscriptions[0].filter"
    assert description in found
    if isinstance(rule, str):
        stored = outcome({"e": compiled(rule)}, document("x", b"{}", {}))
        assert stored.unmatched == {"e"}
        assert description in stored.errors["e"]


def test_a_rule_at_its_bounds() -> None:
    """As large, wide and deep as may be."""
    assert _matches({"in": ["paid", ["x"] * (MAX_NODES - 5) + ["paid"]]})
    assert _matches(json.loads('{"!!":' * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1)))


def _nested(operator: str, depth: int) -> Any:
    """Return a loop in a loop in a loop over the same list."""
    inner: Any = {"==": [{"var": "x"}, 1]}
    for _ in range(depth):
        inner = {operator: [{"val": [[depth], "payload", "list"]}, inner]}
    return inner


@pytest.mark.parametrize(
    "rule",
    [
        *(_nested(operator, 6) for operator in ("map", "filter", "all", "some", "none", "reduce")),
        # Twice as long with each item: 2 to the power of a thousand.
        {"reduce": [{"var": "payload.list"}, {"cat": [{"var": "accumulator"}, {"var": "accumulator"}]}, "aaaaaaaa"]},
        {"reduce": [{"var": "payload.list"}, {"merge": [{"var": "accumulator"}, {"var": "accumulator"}]}, [1]]},
        {"cat": [{"var": "payload.long"}] * 100},
        {"some": [{"var": "payload.list"}, {"in": ["ab", {"val": [[1], "payload", "long"]}]}]},
        {"none": [{"var": "payload.list"}, {"!==": [{"val": [[1], "payload"]}, {"val": [[1], "payload"]}]}]},
        {"map": [[1] * 100, {"map": [[1] * 100, {"map": [[1] * 100, {"+": [1, 1]}]}]}]},
    ],
)
def test_a_hostile_rule_ends_early(rule: Any) -> None:
    """What it asks for is refused before it is done, whatever the event holds."""
    body = json.dumps({"list": [0] * 1000, "long": "a" * 200_000}).encode()
    assert "budget" in _fails(rule, body)


@pytest.mark.parametrize("rule", [{"+": ["x", 1]}, {"/": [1, 0]}, {"%": [1, 0]}])
def test_a_rule_without_a_result(rule: Any) -> None:
    """It fails, and so the endpoint does not get the event."""
    assert _fails(rule)


def test_each_filter_decides_for_its_own_endpoint() -> None:
    """One that fails takes nothing from the others."""
    asked = {
        "a": check_filter(json.dumps(_PAID)),
        "b": check_filter('{"+":["x",1]}'),
        "c": check_filter('{"==":[{"var":"payload.status"},"open"]}'),
        "d": compiled('{"later":1}'),
    }
    found = outcome(asked, document("x", _BODY, {}))
    assert found.unmatched == {"b", "c", "d"}
    assert set(found.errors) == {"b", "d"}


@pytest.mark.parametrize("body", [b"{", b"\xff", b'{"a":1', b'{"a":"\xed\xa0\x80"}'])
def test_a_body_that_cannot_be_read(body: bytes) -> None:
    """No filter matches it, and none fails with an exception."""
    found = outcome({"a": check_filter(json.dumps(_PAID))}, document("x", body, {}))
    assert found.unmatched == {"a"}
    assert found.errors


def test_what_filters_see() -> None:
    """The type as text, the body byte for byte, an absent one as an empty object, and the labels."""
    seen = document('a"b', b"", {'k"': "v\n"})
    assert json.loads(seen) == {"type": 'a"b', "payload": {}, "metadata": {'k"': "v\n"}}
    event = an_event(variables=b'{"z":1, "a":2}', metadata={"k": "v"})
    assert filters.document_of(event) == b'{"type":"order.confirmed","payload":{"z":1, "a":2},"metadata":{"k":"v"}}'


def test_a_stored_rule_is_compiled_once() -> None:
    """Many endpoints have the same one."""
    assert compiled(json.dumps(_PAID)) is compiled(json.dumps(_PAID))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
_OPERATORS = ["var", "val", "==", "===", "!=", "<", "in", "cat", "merge", "map", "reduce", "some", "missing_some", "-"]
_RULES = st.recursive(
    _JSON,
    lambda inner: st.builds(lambda name, some: {name: some}, st.sampled_from(_OPERATORS), st.lists(inner, max_size=4)),
    max_leaves=12,
)


@given(_RULES, st.dictionaries(st.text(max_size=5), _JSON, max_size=4))
def test_no_rule_and_no_event_is_a_fault(rule: Any, payload: dict[str, Any]) -> None:
    """A rule is refused, or it matches, does not match, or fails; nothing else is raised."""
    try:
        one = check_filter(json.dumps(rule))
    except ClarionError:
        return
    found = outcome({"e": one}, document("x", json.dumps(payload).encode(), {}))
    assert set(found.errors) <= found.unmatched <= {"e"}
