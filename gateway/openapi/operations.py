"""How an area declares its operations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.openapi.values import Id, Limit, Moment, OrqestraFaultSchema, ProblemSchema, Text

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html"

OPERATOR = "operator"
TENANT_KEY = "tenantKey"
REALTIME_TOKEN = "realtimeToken"  # noqa: S105 - a name

# What a body may be refused for before anybody reads its fields.
_BODY_FAULTS = (400, 408, 413, 415, 422)
_RETRY_AFTER = "Seconds until it is worth trying again."


@dataclass(frozen=True, slots=True)
class Parameter:
    """In a query, or a header. type: as msgspec knows it."""

    name: str
    type: Any
    description: str = ""
    required: bool = False
    default: Any = None
    place: str = "query"


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """type: of the body; None: there is none. headers: by name, what each says; may_have: those not in each answer."""

    type: Any = None
    description: str = ""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    may_have: Mapping[str, str] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. path: as the router writes it. security: any one of these; empty: open to all."""

    method: str
    path: str
    name: str
    summary: str
    tag: str
    answers: Mapping[int, ResponseSpec]
    body: Any = None
    body_type: str = JSON
    example: Any = None
    parameters: Sequence[Parameter] = ()
    security: Sequence[str] = ()
    description: str = ""


CURSOR = Parameter("cursor", Text, "The next_cursor of the page before.")
PAGING = (Parameter("limit", Limit, default=50), CURSOR)
SINCE = Parameter("since", Moment, "At or after.")
UNTIL = Parameter("until", Moment, "Before.")


def filters(*names: str) -> tuple[Parameter, ...]:
    """Return optional text parameters of a query."""
    return tuple(Parameter(name, Id if name == "tenant_id" else Text) for name in names)


def admin(
    method: str,
    path: str,
    name: str,
    summary: str,
    answers: Mapping[int, Any],
    *,
    tag: str,
    faults: Sequence[int] = (),
    parameters: Sequence[Parameter] = (),
    body: Any = None,
    example: Any = None,
    shown: Any = None,
    description: str = "",
) -> Operation:
    """Return an operation of the admin API, with the faults that it shares with its like.

    answers: the body's type by status, None for no body. faults: statuses beside those. shown: an example
    of the first answer.
    """
    statuses = {401, 422, 429, 500, 503, *faults}  # 422: whatever it takes, a query that it does not take
    statuses |= {404} if "{" in path else set()
    statuses |= set(_BODY_FAULTS) if body is not None else set()
    first = next(iter(answers))
    given = {status: ResponseSpec(kind, example=shown if status == first else None) for status, kind in answers.items()}
    refused = {
        status: ResponseSpec(ProblemSchema, content_type=PROBLEM, headers=_headers(status))
        for status in sorted(statuses)
    }
    return Operation(
        method,
        f"/api/v1/admin{path}",
        name,
        summary,
        tag,
        {**given, **refused},
        body=body,
        example=example,
        parameters=parameters,
        security=(OPERATOR,),
        description=description,
    )


def orqestra_faults(*statuses: int, body: bool = False) -> dict[int, ResponseSpec]:
    """Return the answers of a dialect's faults."""
    wanted = {*statuses, 500, *(_BODY_FAULTS if body else ())}
    return {
        status: ResponseSpec(
            OrqestraFaultSchema,
            headers={"Retry-After": _RETRY_AFTER} if status in (429, 503) else {},
        )
        for status in sorted(wanted)
    }


def _headers(status: int) -> Mapping[str, str]:
    if status == 429:
        return {"Retry-After": _RETRY_AFTER}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}
