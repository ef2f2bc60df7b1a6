"""How web addresses are read before the guard connects to them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.egress import AddressNotAllowed, hosts, urls


@pytest.mark.parametrize(
    ("url", "scheme", "place", "path"),
    [
        ("https://hooks.example.org", "https", "hooks.example.org", "/"),
        ("HTTPS://Hooks.Example.org/In", "https", "hooks.example.org", "/In"),
        ("http://hooks.example.org:80/in", "http", "hooks.example.org", "/in"),
        ("http://hooks.example.org:8080/in?a=b&c=%2B#frag", "http", "hooks.example.org:8080", "/in?a=b&c=%2B"),
        ("https://hooks.example.org?a=b", "https", "hooks.example.org", "/?a=b"),
        ("https://hooks.example.org#/in", "https", "hooks.example.org", "/"),
        ("https://[2001:4860:4860::8888]:8443/in", "https", "[2001:4860:4860::8888]:8443", "/in"),
        ("https://bücher.example/ü?q=ö", "https", "xn--bcher-kva.example", "/%C3%BC?q=%C3%B6"),
        ("https://8.8.8.8/%7Ea//b/../c", "https", "8.8.8.8", "/%7Ea//b/../c"),
        ('https://a.example/<b>?"c"', "https", "a.example", "/%3Cb%3E?%22c%22"),
    ],
)
def test_addresses(url: str, scheme: str, place: str, path: str) -> None:
    """The host in its ASCII form, the scheme's own port left out, path and query as they are written."""
    address = urls.read(url)
    assert (address.scheme, address.place, address.path) == (scheme, place, path)


@pytest.mark.parametrize(
    "url",
    ["", "a", "//a.example/", "ftp://a.example/", "file:///etc/passwd", "gopher://a.example/", "javascript:alert(1)",
     "http:/a.example", "http:a.example", "http://", "http:///a", "http://:80/", "http://a.example:/", "https://?a",
     "http://a.example:0/", "http://a.example:65536/", "http://a.example:-1/", "http://a.example:8o/",
     "http://a.example:\uff18\uff10/", "http://a.example:80:80/", "http://ada@a.example/", "http://a:b@a.example/",
     "http://a.example\\@b.example/", "http://a.example/\r\nx: y", "http://a.example/a b", " http://a.example/",
     "http://a.example\t/", "http://a.example/\x7f", "http://[::1/", "http://[a.example]/", "http://[::1]a/",
     "http://[::1%25lo]/", "http://%61.example/", "http://a..example/", "http://" + "a" * 5_000],
)  # fmt: skip
def test_what_is_no_web_address(url: str) -> None:
    """It is refused with a sentence that does not repeat it."""
    with pytest.raises(AddressNotAllowed) as caught:
        urls.read(url)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_an_account_is_refused_as_such() -> None:
    """The sentence says what is wrong."""
    for url in ("http://ada@a.example/", "http://@a.example/", "http://a.example:80@b.example:80/"):
        with pytest.raises(AddressNotAllowed, match="with a user name or a password"):
            urls.read(url)


def test_what_a_record_shows() -> None:
    """No value of the query, and nothing of what stands there without a name."""
    shown = urls.read("https://a.example/in?token=abc&name=&bare&x=1=2").shown
    assert shown == "https://a.example/in?token=***&name=***&***&x=***"
    assert urls.read("https://a.example:8443/in").shown == "https://a.example:8443/in"
    assert urls.read("https://a.example/?").shown == "https://a.example/?"


@settings(deadline=None)
@given(st.text(max_size=50))
def test_any_text(rest: str) -> None:
    """Whatever is read names one host that the guard reads in the same way, and no line end is sent."""
    try:
        address = urls.read(f"http://{rest}")
    except AddressNotAllowed:
        return
    assert str(hosts.read(address.host)).lower() == address.host
    assert address.path.startswith("/")
    assert address.path.isascii()
    assert address.path.isprintable()
    assert " " not in address.path
    assert 0 < address.port < 65_536
