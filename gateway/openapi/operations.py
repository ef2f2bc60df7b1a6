"""How an area declares its operations."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.openapi.values import Id, Limit, Moment, ProblemSchema, Text

JSON = "application/json"
PROBLEM = "application/problem+json"
HTML = "text/html"

OPERATOR = "operator"
CONSOLE_SESSION = "consoleSession"
POLL_KEY = "pollKey"
PORTAL_SESSION = "portalSession"

# Statuses with which a body is refused before its fields are checked.
BODY_FAULTS = (400, 408, 413, 415, 422)
RETRY_AFTER = "The number of seconds to wait before trying again."


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter in the query or a header. type: any type that msgspec can describe."""

    name: str
    type: Any
    description: str = ""
    required: bool = False
    default: Any = None
    place: str = "query"


@dataclass(frozen=True, slots=True)
class ResponseSpec:
    """One response of an operation. type: of its body; None: no body.

    headers: descriptions by name; may_have: those of optional headers.
    """

    type: Any = None
    description: str = ""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    may_have: Mapping[str, str] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path of the router. security: one of these schemes is enough; empty: none is needed."""

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


@dataclass(frozen=True, slots=True)
class DialectArea:
    """The operations of one dialect. tag: of all of them, with its description. security: OpenAPI schemes by name."""

    tag: str
    description: str
    operations: Sequence[Operation]
    security: Mapping[str, Mapping[str, str]]


CURSOR = Parameter("cursor", Text, "The next_cursor of the previous page.")
PAGING = (Parameter("limit", Limit, default=50), CURSOR)
SINCE = Parameter("since", Moment, "Only entries at or after this time.")
UNTIL = Parameter("until", Moment, "Only entries before this time.")


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
    content_type: str = JSON,
    body_type: str = JSON,
    is_open: bool = False,
) -> Operation:
    """Return an operation of the admin API, with the problems that all of them can answer.

    answers: the body's type by status, None for no body. faults: further statuses of problems. shown: an example
    of the first response, whose body has this content_type. body_type: the request's. is_open: nobody needs to sign in.
    """
    statuses = {422, 500, 503, *faults}  # 422: each can get an unknown query parameter
    statuses |= set() if is_open else {401, 403, 429}
    statuses |= {404} if "{" in path else set()
    statuses |= set(BODY_FAULTS) if body is not None else set()
    first = next(iter(answers))
    given = {status: ResponseSpec(kind, example=shown if status == first else None) for status, kind in answers.items()}
    given[first] = dataclasses.replace(given[first], content_type=content_type)
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
        body_type=body_type,
        example=example,
        parameters=parameters,
        security=() if is_open else (OPERATOR, CONSOLE_SESSION),
        description=description,
    )


def _headers(status: int) -> Mapping[str, str]:
    if status == 429:
        return {"Retry-After": RETRY_AFTER}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}
