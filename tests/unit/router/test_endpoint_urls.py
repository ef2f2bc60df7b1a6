"""Addresses of endpoints when they are written: what is stored of them, and what is refused, without a lookup."""

import pytest

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.router.endpoints.url import MAX_URL, InvalidUrl, checked_url

PORTS = Ports(frozenset({80, 443, 8443}), "CLARION_EGRESS_HTTP_PORTS")
GUARD = EgressGuard(EgressPolicy(allow=["10.1.0.0/16:9000"], deny=["198.51.101.0/24"]), PORTS)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example",
        "http://shop.example/",
        "https://shop.example:8443/hook",
        "https://Shop.Example/Hook?a=1&b=%20#"[:-1],
        "https://shop.example./x",
        "https://8.8.8.8/x",
        "http://10.1.2.3:9000/x",
        "https://[2606:4700::1111]/x",
        "https://[2606:4700::1111]:8443/x",
        "https://hooks.slack.com/services/T0/B0/abc_DEF-1",
        "https://xn--bcher-kva.example/",
        "https://a.example/~x/(1);v=2,3!*'$@:[]",
        "https://a.example?x=@&y=//",
    ],
)
def test_a_web_address_is_stored_as_written(url: str) -> None:
    """With the host's case, and whatever its path may have."""
    assert checked_url(url, GUARD) == url


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        ("https://bücher.example/x", "https://xn--bcher-kva.example/x"),
        ("https://BÜCHER.example:8443/x?y=1", "https://xn--bcher-kva.example:8443/x?y=1"),
    ],
)
def test_a_host_is_stored_in_ascii(url: str, stored: str) -> None:
    """So that every program that reads it connects to the same host."""
    assert checked_url(url, GUARD) == stored


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "must begin with"),
        ("shop.example/x", "must begin with"),
        ("//shop.example/x", "must begin with"),
        ("ftp://shop.example/x", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("javascript:alert(1)", "must begin with"),
        ("https:///x", "must begin with"),
        ("https://:443/x", "must begin with"),
        ("https://ada@shop.example/", "user name"),
        ("https://ada:pw@shop.example/", "user name"),
        ("https://@shop.example/", "user name"),
        ("https://shop.example:443@evil.example/", "user name"),
        ("https://evil.example\\@shop.example/", "must not contain"),
        ("https://shop.example/#x", "fragment"),
        ("https://shop.example/#", "fragment"),
        ("https://shop.example/a b", "must not contain"),
        (" https://shop.example/", "must not contain"),
        ("https://shop.example/\n", "must not contain"),
        ("https://shop\t.example/", "must not contain"),
        ("https://shop.example/\0", "must not contain"),
        ("https://shop.example/{id}", "must not contain"),
        ("https://shop.example/é", "only ASCII"),
        ("https://shop.example/?q=é", "only ASCII"),
        ("https://shop.example:/", "nothing but"),
        ("https://shop.example:0443/", "nothing but"),
        ("https://shop.example:+443/", "web address"),
        ("https://shop.example:99999/", "web address"),
        ("https://shop.example:x/", "web address"),
        ("https://[::1/", "web address"),
        ("https://shop.example:0/", "not allowed"),
        ("https://shop.example:25/", "not allowed"),
        ("http://127.0.0.1/", "not allowed"),
        ("http://127.1/", "not allowed"),
        ("http://2130706433/", "not allowed"),
        ("http://0x7f.1/", "not allowed"),
        ("http://0177.0.0.1/", "not allowed"),
        ("http://169.254.169.254/latest/meta-data", "not allowed"),
        ("http://[::1]/", "not allowed"),
        ("http://[::ffff:127.0.0.1]/", "not allowed"),
        ("http://localhost/", "not allowed"),
        ("http://api.localhost./", "not allowed"),
        ("http://10.1.2.3/", "not allowed"),
        ("http://10.2.0.1:9000/", "not allowed"),
        ("https://198.51.101.9/", "not allowed"),
        ("https://a..b/", "not allowed"),
        ("https://%31.example/", "not allowed"),
        ("https://①②⑦.0.0.1/", "not allowed"),
        ("https://shop.example/" + "x" * MAX_URL, "at most"),
    ],
)
def test_another_address_is_refused(url: str, word: str) -> None:
    """Other schemes, users, fragments, what programs read differently, and hosts that the guard does not allow."""
    with pytest.raises(InvalidUrl, match=word):
        checked_url(url, GUARD)
