"""X-Orqestra-Signature."""

import hashlib
import hmac

import pytest

from gateway.dialects.orqestra.signature import is_signed

BODY = b'{"eventType": "order.confirmed"}'
# openssl dgst -sha256 -hmac a-webhook-secret, over the body above.
KNOWN = "0cfc6300417919d7be4353caa65fe09d5f966eab791275c6a74a017fee548965"


def sign(secret: str, raw: bytes = BODY) -> str:
    """Return the signature."""
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("secret", ["old-secret", "new-secret"])
@pytest.mark.parametrize("written", ["{}", "{} ", " {}"])
def test_any_valid_secret_will_do(secret: str, written: str) -> None:
    """While two overlap, both sign; spaces around do not matter, nor does the case of the digits."""
    assert is_signed(BODY, written.format(sign(secret)), ["new-secret", "old-secret"])
    assert is_signed(BODY, sign(secret).upper(), ["new-secret", "old-secret"])


@pytest.mark.parametrize(
    "shown",
    ["", "nonsense", sign("another"), "sha256=" + sign("secret"), sign("secret")[:-1], sign("secret") + "0", "é\udcff"],
    ids=["none", "nonsense", "another-secret", "prefix", "short", "long", "not-ascii"],
)
def test_what_is_no_signature(shown: str) -> None:
    """All of it is refused alike."""
    assert not is_signed(BODY, shown, ["secret"])


def test_as_openssl_signs() -> None:
    """A signature that other software made."""
    assert is_signed(BODY, KNOWN, ["a-webhook-secret"])


def test_every_byte_counts() -> None:
    """The bytes as they arrived: the same JSON written otherwise has another signature."""
    assert not is_signed(BODY.replace(b": ", b":"), sign("secret"), ["secret"])
    assert is_signed(b"", sign("secret", b""), ["secret"])


def test_without_secrets_nothing_is_signed() -> None:
    """Whether a signature is needed is another question."""
    assert not is_signed(BODY, sign(""), [])
