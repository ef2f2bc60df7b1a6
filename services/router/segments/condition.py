"""A filter as a condition of SQL: pure.

The condition is composed of the expressions below and of the numbers of its parameters. Nothing that a tenant wrote
gets into it but as an argument: not a value, not the name of a field of data.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.domain import channels
from services.router.segments.filter import DATA, LISTS, TIMES, All, Either, Filter, Not, Test, Value, path_of

# Characters of a text in data that are compared.
MAX_COMPARED = 1000
# The parameters before it are the query's own (services/router/recipients/scan.sql); $1 is the tenant.
_FIRST = 6


@dataclass(frozen=True, slots=True)
class Condition:
    """sql: of a recipient r; never null. arguments: of its parameters. tag: whom it matches have it; empty: none.

    tests: the number of its comparisons. reads_data: it also needs d.fields, the recipient's data as jsonb, so that it
    is parsed once however often it is read.
    """

    sql: str
    arguments: Sequence[object]
    tag: str = ""
    tests: int = 1
    reads_data: bool = False


# Of a text x, with a value v.
_OF_TEXT = {
    "is": "lower({x}) = lower({v}::text)",
    "is_not": "lower({x}) IS DISTINCT FROM lower({v}::text)",
    "contains": "position(lower({v}::text) IN lower({x})) > 0",
    "starts_with": "starts_with(lower({x}), lower({v}::text))",
    "ends_with": "right(lower({x}), length(lower({v}::text))) = lower({v}::text)",
    "in": "lower({x}) = ANY (SELECT lower(one) FROM unnest({v}::text[]) AS one)",
    "exists": "({x} <> '') = {v}::boolean",
}
_OF_TEXT_IN_DATA = _OF_TEXT | {
    "before": 'left({x}, 10) COLLATE "C" < {v}::text',
    "after": 'left({x}, 10) COLLATE "C" > {v}::text',
}
_COMPARED = {"is": "=", "is_not": "IS DISTINCT FROM", "less": "<", "at_most": "<=", "more": ">", "at_least": ">="}
_OF_LIST = {
    "tags": {
        "has_all": "r.tags @> {v}::text[]",
        "has_any": "r.tags && {v}::text[]",
        "has_none": "NOT r.tags && {v}::text[]",
    },
    "muted_channels": {
        "has_all": "r.muted_channels @> {v}::smallint[]",
        "has_any": "r.muted_channels && {v}::smallint[]",
        "has_none": "NOT r.muted_channels && {v}::smallint[]",
    },
    # A subquery with a limit is asked for each recipient; another one could become a join, which reads whole groups.
    "groups": {
        op: test.replace(
            "{found}",
            "(SELECT count(*) FROM (SELECT FROM router.group_members m JOIN router.groups g"
            " ON g.tenant_id = m.tenant_id AND g.id = m.group_id"
            " WHERE m.tenant_id = $1 AND m.member_id = r.id AND g.key = ANY ({v}::text[]) AND g.deleted_at IS NULL"
            " LIMIT 100) AS one)",
        )
        for op, test in {
            "has_all": "{found} = cardinality({v}::text[])",
            "has_any": "{found} > 0",
            "has_none": "{found} = 0",
        }.items()
    },
}
_OF_TIME = {
    "before": "{x} < {v}::timestamptz",
    "after": "{x} > {v}::timestamptz",
    "within": "{x} > now() - {v}::bigint * interval '1 second'",
    "not_within": "{x} <= now() - {v}::bigint * interval '1 second'",
}
# Columns by the names of fields: no other text becomes one.
_COLUMNS: Mapping[str, str] = {
    "recipient_id": "r.recipient_id",
    "email": "r.email",
    "phone": "r.phone",
    "name": "r.name",
    "locale": "r.locale",
    "timezone": "r.timezone",
    "created_at": "r.created_at",
    "updated_at": "r.updated_at",
}


def condition_of(wanted: Filter) -> Condition:
    """Return the condition for a filter."""
    arguments: list[object] = []
    sql = _sql(wanted, arguments)
    tests = list(_tests(wanted))
    reads_data = any(test.field.startswith(DATA) for test in tests)
    return Condition(sql, tuple(arguments), _tag(wanted), max(1, len(tests)), reads_data)


def _sql(wanted: Filter, arguments: list[object]) -> str:
    match wanted:
        case All(parts):
            return _joined(parts, " AND ", "true", arguments)
        case Either(parts):
            return _joined(parts, " OR ", "false", arguments)
        case Not(part):
            return f"NOT {_sql(part, arguments)}"
        case Test():
            return f"coalesce({_test(wanted, arguments)}, false)"


def _joined(parts: Sequence[Filter], word: str, empty: str, arguments: list[object]) -> str:
    return f"({word.join([_sql(part, arguments) for part in parts]) or empty})"


def _test(test: Test, arguments: list[object]) -> str:
    if test.field.startswith(DATA):
        return _of_data(test, arguments)
    if test.field in LISTS:
        values = _distinct(test.value)
        if test.field == "muted_channels":
            values = [channels.BY_PUBLIC_NAME[str(one)] for one in values]
        return _OF_LIST[test.field][test.op].format(v=_parameter(values, arguments))
    templates = _OF_TIME if test.field in TIMES else _OF_TEXT
    value = list(test.value) if isinstance(test.value, tuple) else test.value
    return templates[test.op].format(x=_COLUMNS[test.field], v=_parameter(value, arguments))


def _of_data(test: Test, arguments: list[object]) -> str:
    """Return the test of a field of data. A value of another type is as if there were none."""
    if test.op == "in":
        some = [_of_data(Test(test.field, "is", one), arguments) for one in _distinct(test.value)]
        return f"({' OR '.join([f'coalesce({one}, false)' for one in some])})"
    path = f"{_parameter(path_of(test.field), arguments)}::text[]"
    value, text = f"(d.fields #> {path})", f"(d.fields #>> {path})"
    if test.op == "exists":
        # JSON's null is none, too.
        return f"({text} IS NOT NULL) = {_parameter(test.value, arguments)}::boolean"
    if test.op == "has":
        items = f"jsonb_array_elements_text(CASE jsonb_typeof{value} WHEN 'array' THEN {value} ELSE '[]' END)"
        wanted = f"{_parameter(test.value, arguments)}::text"
        return f"EXISTS (SELECT FROM {items} AS item (one) WHERE lower(one) = lower({wanted}))"
    if isinstance(test.value, bool):
        found = f"CASE jsonb_typeof{value} WHEN 'boolean' THEN {text}::boolean END"
        return f"{found} {_COMPARED[test.op]} {_parameter(test.value, arguments)}::boolean"
    if isinstance(test.value, int | float):
        # CASE is evaluated in its order, so that no text is cast.
        found = f"CASE jsonb_typeof{value} WHEN 'number' THEN {text}::numeric END"
        return f"{found} {_COMPARED[test.op]} {_parameter(str(test.value), arguments)}::text::numeric"
    found = f"CASE jsonb_typeof{value} WHEN 'string' THEN left({text}, {MAX_COMPARED}) END"
    return _OF_TEXT_IN_DATA[test.op].format(x=found, v=_parameter(test.value, arguments))


def _distinct(value: Value) -> list[Any]:
    """Return the values of a list, each once; True is another one than 1."""
    return list({(type(one), one): one for one in value}.values()) if isinstance(value, tuple) else [value]


def _parameter(value: object, arguments: list[object]) -> str:
    arguments.append(value)
    return f"${_FIRST + len(arguments) - 1}"


def _tag(wanted: Filter) -> str:
    """Return a tag that everybody has whom the filter matches; empty: there is none."""
    match wanted:
        case Test(field="tags", op="has_all", value=[first, *_]):
            return str(first)
        case All(parts):
            return next(filter(None, map(_tag, parts)), "")
    return ""


def _tests(wanted: Filter) -> Iterator[Test]:
    match wanted:
        case Test():
            yield wanted
        case Not(part):
            yield from _tests(part)
        case All(parts) | Either(parts):
            for part in parts:
                yield from _tests(part)
