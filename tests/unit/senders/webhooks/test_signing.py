"""Signatures as receivers compute them: published vectors, and two verifiers of receivers."""

import base64
import json
import time

import pytest
import standardwebhooks
import svix
from hypothesis import given, settings
from hypothesis import strategies as st

from services.senders.webhooks import request, signing
from tests.unit.senders.webhooks.builders import OLD_SECRET, SECRET

_VECTOR_SECRET = "whsec_dGVzdF93ZWJob29rX3NpZ25pbmdfa2V5XzMyYnl0ZXMh"
_VECTORS = [
    (b'{"order_id":"ord_123","amount":49.99}', "v1,VF1JBS4kdSwmE64FeeiWTgszlPCfaop53x8bwzvHizw="),
    (b"", "v1,yNFeVvBSs4aZ/sVHHw1MaUWnN1IGK/Ul/16T8aptSJo="),
    ('{"name":"café","price":"€9.99"}'.encode(), "v1,GcuGAMV9tELnF2rjay6sA8uo5PDPPlhaFi6gKUg06wQ="),
]


@pytest.mark.parametrize(("body", "signature"), _VECTORS)
def test_published_vectors(body: bytes, signature: str) -> None:
    """Those of the vendor's fixture, with an empty body and one in UTF-8."""
    key = signing.key_of(_VECTOR_SECRET)
    assert signing.signatures([key], "msg_test_sig_001", 1712345678, body) == signature


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_receivers_verify_both_signatures(secret: str) -> None:
    """While a secret is rotated, a receiver with either of the two accepts."""
    body = json.dumps({"order": 7, "name": "café"}).encode()
    keys = [signing.key_of(SECRET), signing.key_of(OLD_SECRET)]
    headers = request.signed_headers(keys, "0197f1a2-0000-7000-8000-000000000001", int(time.time()), body)
    assert headers["webhook-id"] == "msg_0197f1a2000070008000000000000001"
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert standardwebhooks.Webhook(secret).verify(body, headers) == json.loads(body)
    svix.Webhook(secret).verify(body, headers)


def test_a_changed_body_does_not_verify() -> None:
    """Nor does another id, or another secret."""
    body, now = b'{"order":7}', int(time.time())
    headers = request.signed_headers([signing.key_of(SECRET)], "a-b", now, body)
    for secret, given_headers, given_body in (
        (SECRET, headers, b'{"order":8}'),
        (SECRET, {**headers, "webhook-id": "msg_other"}, body),
        (SECRET, {**headers, "webhook-timestamp": str(now + 1)}, body),
        (OLD_SECRET, headers, body),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(given_body, given_headers)


@settings(deadline=None)
@given(st.binary(min_size=24, max_size=64), st.binary(max_size=1000))
def test_any_secret_and_body(key: bytes, body: bytes) -> None:
    """Bytes are signed as they are."""
    secret = f"whsec_{base64.b64encode(key).decode()}"
    assert signing.key_of(secret) == key
    signed = signing.signatures([key], "msg_1", 1, body)
    assert signed.startswith("v1,")
    assert len(base64.b64decode(signed.removeprefix("v1,"))) == 32


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_***", "secret of mine", "d2hzZWM=", "whsec_\n"])
def test_what_is_no_secret(secret: str) -> None:
    """The error does not contain it."""
    with pytest.raises(ValueError, match=r"begins with|base64") as caught:
        signing.key_of(secret)
    assert secret in {"", "whsec_"} or secret not in str(caught.value)
