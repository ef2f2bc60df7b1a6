"""Faults in each dialect's words."""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from clarion.common.v1 import error_pb2
from gateway import problems
from gateway.dialects.orqestra import errors, signature
from runtime.errors import ClarionError, Code


def body_of(response: web.Response) -> dict[str, Any]:
    """Return the JSON in a response."""
    assert isinstance(response.body, bytes)
    body: dict[str, Any] = json.loads(response.body)
    return body


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (Code.INVALID, 422, "Validation Error"),
        (Code.UNAUTHENTICATED, 401, "Unauthorized"),
        (Code.FORBIDDEN, 403, "Forbidden"),
        (Code.NOT_FOUND, 404, "Not Found"),
        (Code.CONFLICT, 409, "Conflict"),
        (Code.UNAVAILABLE, 500, "Internal Server Error"),
        (Code.INTERNAL, 500, "Internal Server Error"),
    ],
)
def test_orqestra_answers_each_code(code: Code, status: int, reason: str) -> None:
    """Status and words are the contract's; there is no retryAfter where nothing is limited."""
    response = errors.from_error(ClarionError(code, "what happened", retry_after=3))
    body = body_of(response)
    assert response.status == body["statusCode"] == status
    assert body["error"] == reason
    assert isinstance(body["message"], str)
    assert set(body) == {"statusCode", "error", "message"}
    assert "Retry-After" not in response.headers


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [(Code.LIMITED, 429, "Too Many Requests"), (Code.OVERLOADED, 503, "Service Unavailable")],
)
@pytest.mark.parametrize(("given", "said"), [(45, 45), (0, 1)])
def test_orqestra_says_when_to_come_back(code: Code, status: int, reason: str, given: int, said: int) -> None:
    """A limit and an overload carry retryAfter, in the body and as a header, and never a zero."""
    response = errors.from_error(ClarionError(code, "Limit: 100/min", retry_after=given))
    assert response.status == status
    assert body_of(response) == {
        "statusCode": status,
        "error": reason,
        "message": "Limit: 100/min",
        "retryAfter": said,
    }
    assert response.headers["Retry-After"] == str(said)


@pytest.mark.parametrize(
    ("window_s", "bound", "said"), [(60, 100, "100/min"), (86_400, 5, "5/day"), (3_600, 7, "7/hour"), (30, 2, "2/30 s")]
)
def test_orqestra_words_a_rate_itself(window_s: int, bound: int, said: str) -> None:
    """Ingest says which limit it is; the published sentence names the tenant and the rate."""
    limit = error_pb2.LimitState(kind=error_pb2.LIMIT_KIND_SLIDING, window_s=window_s, bound=bound)
    error = ClarionError(Code.LIMITED, "A rate is reached.", retry_after=45, limit=limit)
    response = errors.from_error(error, tenant_name="Acorn")
    assert body_of(response)["message"] == f"Rate limit exceeded for tenant Acorn. Limit: {said}"
    assert body_of(response)["retryAfter"] == 45


@pytest.mark.parametrize("kind", [error_pb2.LIMIT_KIND_UNFINISHED, error_pb2.LIMIT_KIND_BYTES])
def test_orqestra_has_no_sentence_for_a_quota(kind: "error_pb2.LimitKind.ValueType") -> None:
    """What is not a rate is said as ingest says it."""
    error = ClarionError(Code.LIMITED, "Too many events.", limit=error_pb2.LimitState(kind=kind, bound=3))
    assert body_of(errors.from_error(error, tenant_name="Acorn"))["message"] == "Too many events."


async def test_a_limits_message_names_the_tenant_of_the_request() -> None:
    """The handler that found the tenant leaves its name for the message."""

    class Routes:
        @errors.answers
        async def handle(self, request: web.Request) -> web.StreamResponse:
            request[errors.TENANT_NAME] = "Acorn"
            raise ClarionError(Code.LIMITED, "", limit=error_pb2.LimitState(window_s=60, bound=1))

    response = await Routes().handle(make_mocked_request("POST", "/"))
    assert isinstance(response, web.Response)
    assert body_of(response)["message"] == "Rate limit exceeded for tenant Acorn. Limit: 1/min"


def test_faults_of_ours_stay_in_the_log() -> None:
    """No internal text reaches a caller, in either dialect."""
    fault = ClarionError(Code.INTERNAL, "password of the database")
    for response in (errors.from_error(fault), problems.from_error(fault)):
        assert "password" not in json.dumps(body_of(response))


def test_a_refusal_is_the_same_for_all() -> None:
    """Unknown key, revoked key, foreign token: one answer."""
    first = errors.from_error(ClarionError(Code.UNAUTHENTICATED, "unknown key"))
    second = errors.from_error(ClarionError(Code.UNAUTHENTICATED, "inactive tenant"))
    assert first.body == second.body


def test_a_wrong_signature_is_named() -> None:
    """Its key was right, so its tenant is known: whoever is told only "credentials" looks for the fault in the key."""
    unknown = body_of(errors.from_error(ClarionError(Code.UNAUTHENTICATED, "unknown key")))
    for shown, word in (("", "missing"), ("0" * 64, "wrong")):
        body = body_of(errors.from_error(signature.refusal(shown)))
        assert {**body, "message": ""} == {**unknown, "message": ""}
        assert body["message"].startswith(f"X-Orqestra-Signature is {word}: ")


def test_fields_have_the_dialects_names() -> None:
    """Ingest speaks of its own message, whose names no caller over HTTP has seen."""
    faults = [("recipient.user_id", "is required"), ("event_type", "is longer than 255 characters"), ("limit", "x")]
    body = body_of(errors.from_error(ClarionError(Code.INVALID, "", fields=faults)))
    assert body["message"] == "payload.userId is required; eventType is longer than 255 characters; limit x"


def test_a_problem_document_has_a_stable_type() -> None:
    """RFC 9457: type, title, status, detail, and the fields that are wrong."""
    fault = ClarionError(Code.INVALID, "name is required", fields=[("name", "is required")])
    response = problems.from_error(fault)
    assert response.content_type == "application/problem+json"
    assert body_of(response) == {
        "type": "urn:clarion:problem:invalid",
        "title": "Invalid request",
        "status": 422,
        "detail": "name is required",
        "errors": [{"field": "name", "detail": "is required"}],
    }


def test_every_code_has_an_answer_everywhere() -> None:
    """A new code must be mapped by each dialect."""
    for code in Code:
        assert errors.from_error(ClarionError(code, "x")).status >= 400
        assert problems.from_error(ClarionError(code, "x")).status >= 400
