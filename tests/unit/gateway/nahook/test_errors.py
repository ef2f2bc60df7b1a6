"""Errors in Nahook's format."""

import json
from typing import Any

import pytest
from aiohttp import web

from clarion.common.v1 import error_pb2
from gateway.dialects.nahook import errors, limits
from gateway.replies import BodyError
from runtime.errors import ClarionError, Code


def shown(error: Exception) -> tuple[int, str, dict[str, Any], web.Response]:
    """Return status, code, error and response of an error."""
    response = errors.fault_of(error).reply()
    assert isinstance(response.body, bytes)
    body = json.loads(response.body)
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message"}
    return response.status, body["error"]["code"], body["error"], response


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        (Code.INVALID, 400, "bad_request"),
        (Code.UNAUTHENTICATED, 401, "unauthorized"),
        (Code.FORBIDDEN, 403, "forbidden"),
        (Code.NOT_FOUND, 404, "not_found"),
        (Code.CONFLICT, 409, "conflict"),
        (Code.LIMITED, 429, "rate_limited"),
        (Code.OVERLOADED, 503, "overloaded"),
        (Code.UNAVAILABLE, 503, "unavailable"),
        (Code.INTERNAL, 500, "internal_error"),
        (Code.TIMEOUT, 504, "ingest_timeout"),
    ],
)
def test_each_code_has_its_status_and_name(code: Code, status: int, name: str) -> None:
    """None is left out."""
    assert shown(ClarionError(code, "what happened"))[:2] == (status, name)


def test_every_code_has_an_answer() -> None:
    """A new code must be mapped."""
    for code in Code:
        assert shown(ClarionError(code, "x"))[0] >= 400


@pytest.mark.parametrize("code", [Code.LIMITED, Code.OVERLOADED, Code.UNAVAILABLE])
@pytest.mark.parametrize(("given", "said"), [(45, "45"), (0, "1")])
def test_a_caller_is_told_when_to_come_back(code: Code, given: int, said: str) -> None:
    """A whole number of seconds, never zero: the client reads nothing else."""
    assert shown(ClarionError(code, "", retry_after=given))[3].headers["Retry-After"] == said


@pytest.mark.parametrize("field", ["variables", "event"])
def test_too_large_a_payload(field: str) -> None:
    """Ingest names the field that is too large."""
    error = ClarionError(Code.INVALID, "", fields=[(field, "is larger than 1024 bytes")])
    status, code, body, _ = shown(error)
    assert (status, code, body["message"]) == (413, "payload_too_large", "payload is larger than 1024 bytes")


def test_a_wrong_cursor() -> None:
    """Told apart from other wrong parameters."""
    assert shown(ClarionError(Code.INVALID, "", fields=[("cursor", "is wrong")]))[:2] == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ("endpoint.url", "url"),
        ("url", "url"),
        ("application.max_endpoints", "maxEndpoints"),
        ("auth_username", "authUsername"),
        ("active", "isActive"),
        ("kind", "type"),
        ("event_type", "eventType"),
        ("metadata.a_b", "metadata.a_b"),
    ],
)
def test_fields_have_the_dialects_names(field: str, said: str) -> None:
    """The core's names are unknown to callers. Those of labels are their own."""
    assert shown(ClarionError(Code.INVALID, "", fields=[(field, "is wrong")]))[2]["message"] == f"{said} is wrong"


def test_what_is_not_there_is_told_in_one_way() -> None:
    """Whatever the service says about it."""
    told = [shown(ClarionError(Code.NOT_FOUND, text))[2] for text in ("There is no such endpoint.", "Another's.")]
    assert told[0] == told[1]


def test_faults_of_ours_stay_in_the_log() -> None:
    """No internal text reaches a caller."""
    for error in (ClarionError(Code.INTERNAL, "password"), RuntimeError("password"), KeyError("password")):
        assert "password" not in json.dumps(shown(error)[2])


@pytest.mark.parametrize(
    ("status", "code"), [(408, "request_timeout"), (413, "payload_too_large"), (415, "unsupported_media_type")]
)
def test_a_body_that_is_not_read(status: int, code: str) -> None:
    """Too slow, too large, no JSON."""
    assert shown(BodyError(status, "why"))[:2] == (status, code)


@pytest.mark.parametrize(("status", "code"), [(404, "not_found"), (405, "method_not_allowed"), (500, "internal_error")])
def test_what_no_handler_answered(status: int, code: str) -> None:
    """In the same format."""
    response = errors.unanswered(status)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["error"]["code"] == code


def test_the_closest_rate_is_told() -> None:
    """Of several; what is no rate is not told."""
    states = [
        error_pb2.LimitState(window_s=60, bound=100, remaining=40, reset_s=3),
        error_pb2.LimitState(window_s=86_400, bound=1_000, remaining=7, reset_s=600),
        error_pb2.LimitState(bound=5, remaining=0),
    ]
    assert limits.headers(states) == {
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "7",
        "X-RateLimit-Reset": "600",
    }
    assert limits.headers([]) == limits.headers(states[2:]) == {}
