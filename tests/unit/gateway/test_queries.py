"""Queries: only what a path takes, each parameter once and with a value."""

from urllib.parse import quote

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway import queries
from gateway.queries import Bounds
from runtime.errors import ClarionError, Code

KNOWN = ("tenant_id", "limit", "locale")


def get(query: str) -> web.Request:
    """Return a request with this query."""
    return make_mocked_request("GET", f"/?{query}")


@pytest.mark.parametrize("query", ["", "&&", "tenant_id=x", "tenant_id=x&limit=1", "locale=", "limit=%20"])
def test_what_a_path_takes(query: str) -> None:
    """Known names; an empty value only where it says something."""
    queries.check(get(query), KNOWN, may_be_empty=("locale",))


@pytest.mark.parametrize(
    ("query", "field", "description"),
    [
        ("tenantId=x", "tenantId", "is not known here: this path takes tenant_id, limit, locale"),
        ("TENANT_ID=x", "TENANT_ID", "is not known here: this path takes tenant_id, limit, locale"),
        ("tenant_id[]=x", "tenant_id[]", "is not known here: this path takes tenant_id, limit, locale"),
        ("limit=1;tenant_id=x&a", "a", "is not known here: this path takes tenant_id, limit, locale"),
        ("=x", "(a parameter without a name)", "is not known here: this path takes tenant_id, limit, locale"),
        ("tenant_id=x&tenant_id=x", "tenant_id", "must not be given more than once"),
        ("limit=1&limit=2", "limit", "must not be given more than once"),
        ("tenant_id=", "tenant_id", "must not be empty: set a value, or omit the parameter"),
        ("tenant_id", "tenant_id", "must not be empty: set a value, or omit the parameter"),
        ("locale=a%00b", "locale", "must be at most 1024 characters, none of them NUL"),
        ("locale=" + "x" * 1025, "locale", "must be at most 1024 characters, none of them NUL"),
    ],
)
def test_what_it_does_not_take(query: str, field: str, description: str) -> None:
    """A filter that is misspelt, doubled or empty would otherwise let everything through."""
    with pytest.raises(ClarionError) as caught:
        queries.check(get(query), KNOWN, may_be_empty=("locale",))
    assert caught.value.code is Code.INVALID
    assert caught.value.fields == ((field, description),)


def test_a_path_without_parameters_says_so() -> None:
    """The same for one that takes none."""
    with pytest.raises(ClarionError, match="channels is not known here: this path takes no parameters"):
        queries.check(get("channels=EMAIL"))


def test_faults_are_bounded() -> None:
    """Whatever is asked, an answer stays short, and can be written as UTF-8."""
    query = "&".join(f"{'x' * 500}{number}=1" for number in range(14)) + "&" + quote("\udcff", errors="surrogatepass")
    with pytest.raises(ClarionError) as caught:
        queries.check(get(query))
    assert len(caught.value.fields) == 10
    assert len(caught.value.detail.encode()) < 2_000


@pytest.mark.parametrize(
    ("query", "found"), [("", [50, 0]), ("limit=10&offset=20", [10, 20]), ("limit=1000&offset=10000", [1000, 10_000])]
)
def test_numbers(query: str, found: list[int]) -> None:
    """As they are, or the default."""
    assert queries.numbers(get(query), limit=Bounds(50, 1, 1000), offset=Bounds(0, 0, 10_000)) == found


@pytest.mark.parametrize(
    "wrong", ["", "ten", "1.5", "1e3", "+5", "-1", "\u0661", "9" * 30, "10001", "0x1", " 1", "1_0"]
)
def test_numbers_out_of_their_bounds_are_refused(wrong: str) -> None:
    """Each by name, never brought into its bounds: who steps by what was asked would skip what was cut off."""
    request = get(f"limit={quote(wrong)}&offset={quote(wrong)}")
    with pytest.raises(ClarionError) as caught:
        queries.numbers(request, limit=Bounds(50, 1, 1000), offset=Bounds(0, 0, 10_000))
    assert caught.value.fields == (
        ("limit", "must be a whole number from 1 to 1,000"),
        ("offset", "must be a whole number from 0 to 10,000"),
    )
