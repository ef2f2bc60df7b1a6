"""What holds every exchange of the tests against the document can tell right from wrong."""

import pytest

from tests import exchanges
from tests.exchanges import UndescribedError, check_answer, check_request

_PATH = "/api/v1/notifications/t1/u1"
_HEADERS = {"X-Trace-Id": "t"}


def _answer(
    status: int = 200, raw: bytes = b'{"success":true,"data":[]}', content_type: str = "application/json"
) -> None:
    operation = exchanges.find("GET", _PATH)
    assert operation is not None
    check_answer(operation, status, {**_HEADERS, "Content-Type": content_type}, raw, what="a test")


def test_what_is_described_passes() -> None:
    """Status, headers, type and body are right."""
    _answer()
    _answer(content_type="application/json; charset=utf-8")


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b'{"success":true}', 200),
        (b'{"success":true,"data":[],"more":1}', 200),
        (b'{"success":"yes","data":[]}', 200),
        (b'{"success":true,"data":[{"id":"1"}]}', 200),
        (b'{"success":true,"data":[]}', 201),
        (b'{"success":true,"data":[]}', 401),
    ],
    ids=["too little", "too much", "wrong type", "wrong within", "status", "body of another status"],
)
def test_what_is_not_described_fails(raw: bytes, status: int) -> None:
    """Each fault on its own."""
    with pytest.raises(UndescribedError):
        _answer(status, raw)


def test_a_missing_header_and_another_type_fail() -> None:
    """The headers are part of it."""
    operation = exchanges.find("GET", _PATH)
    assert operation is not None
    with pytest.raises(UndescribedError, match="X-Trace-Id"):
        check_answer(operation, 200, {"Content-Type": "application/json"}, b"{}", what="a test")
    with pytest.raises(UndescribedError, match="text/html"):
        _answer(content_type="text/html")


def test_an_accepted_request_must_have_been_right() -> None:
    """What the document forbids and the gateway takes is a fault of one of them."""
    operation = exchanges.find("POST", "/api/v1/admin/tenants")
    assert operation is not None
    check_request(operation, {}, b'{"name":"Acorn"}', what="a test")
    with pytest.raises(UndescribedError):
        check_request(operation, {}, b'{"nmae":"Acorn"}', what="a test")
    listing = exchanges.find("GET", "/api/v1/admin/tenants")
    assert listing is not None
    check_request(listing, {"limit": "100"}, None, what="a test")
    with pytest.raises(UndescribedError):
        check_request(listing, {"limit": "101"}, None, what="a test")
    needed = exchanges.find("GET", "/api/v1/admin/providers")
    assert needed is not None
    with pytest.raises(UndescribedError, match="tenant_id"):
        check_request(needed, {}, None, what="a test")


def test_the_plainest_path_wins() -> None:
    """A preview is no template called preview."""
    found = exchanges.find("POST", "/api/v1/admin/templates/preview")
    assert found is not None
    assert found["operationId"] == "previewTemplate"
    assert exchanges.find("GET", "/nowhere") is None
