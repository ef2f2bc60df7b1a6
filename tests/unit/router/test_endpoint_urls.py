"""Addresses of endpoints when they are written: what is stored of them, and what is refused, without a lookup."""

import pytest

from runtime.egress import EgressGuard, EgressPolicy, Ports
from services.router.endpoints.url import MAX_URL, InvalidUrl, check_url

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
        "https://bücher.example:8443/é?q=é",
        "https://shop.example:0443/",
    ],
)
def test_a_web_address_is_taken(url: str) -> None:
    """In any case and script, and whatever its path may have."""
    check_url(url, GUARD)


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "it begins with"),
        ("shop.example/x", "it begins with"),
        ("//shop.example/x", "it begins with"),
        ("ftp://shop.example/x", "it begins with"),
        ("file:///etc/passwd", "it begins with"),
        ("javascript:alert(1)", "it begins with"),
        ("https:///x", "not a host name"),
        ("https://:443/x", "not a host name"),
        ("https://ada@shop.example/", "user name"),
        ("https://ada:pw@shop.example/", "user name"),
        ("https://@shop.example/", "user name"),
        ("https://shop.example:443@evil.example/", "user name"),
        ("https://evil.example\\@shop.example/", "a blank"),
        ("https://shop.example/#x", "fragment"),
        ("https://shop.example/#", "fragment"),
        ("https://shop.example/a b", "a blank"),
        (" https://shop.example/", "a blank"),
        ("https://shop.example/\n", "a blank"),
        ("https://shop\t.example/", "a blank"),
        ("https://shop.example/\0", "a blank"),
        ("https://shop.example:/", "a port from"),
        ("https://shop.example:+443/", "a port from"),
        ("https://shop.example:99999/", "a port from"),
        ("https://shop.example:x/", "a port from"),
        ("https://[::1/", "in brackets"),
        ("https://[::1]x/", "in brackets"),
        ("https://shop.example:0/", "a port from"),
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
        check_url(url, GUARD)
