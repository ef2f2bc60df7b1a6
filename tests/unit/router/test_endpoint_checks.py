"""Endpoints and their secrets as they are sent: what is stored of them, and what is refused."""

import base64
from typing import Any

import pytest

from clarion.router.v1 import catalogs_pb2, endpoints_pb2
from runtime.egress import EgressGuard, EgressPolicy, Ports
from runtime.encryption import Vault
from runtime.errors import ClarionError, Code
from services.router.catalogs import check as catalogs
from services.router.endpoints import check
from services.router.endpoints.secrets import EndpointSeal, wrong_secret
from tests.unit.senders.builders import encryption_key

TENANT = "01a1fe7a-0000-7000-8000-000000000001"
ENDPOINT = "01a1fe7a-0000-7000-8000-000000000002"
GUARD = EgressGuard(EgressPolicy(), Ports(frozenset({80, 443}), "CLARION_EGRESS_HTTP_PORTS"))
POLLED, ORDERED = endpoints_pb2.ENDPOINT_MODE_POLLED, endpoints_pb2.ENDPOINT_MODE_ORDERED
SLACK = endpoints_pb2.ENDPOINT_KIND_SLACK


class _Stored:
    """What is encrypted of a stored endpoint."""

    def __init__(self, headers: dict[str, str] | None = None, auth: str = "", *, is_lost: bool = False) -> None:
        self._headers = headers or {}
        self._auth = auth
        self._is_lost = is_lost

    def headers(self) -> dict[str, str]:
        """Return the headers."""
        if self._is_lost:
            raise ValueError
        return self._headers

    def auth(self) -> str:
        """Return "user:password"."""
        if self._is_lost:
            raise ValueError
        return self._auth


def _new(*, secret: str = "", auth_password: str = "", tenant_id: str = TENANT, **fields: Any) -> check.CheckedEndpoint:
    wanted = endpoints_pb2.Endpoint(**{"url": "https://shop.example/", **fields})
    request = endpoints_pb2.CreateEndpointRequest(
        tenant_id=tenant_id, endpoint=wanted, secret=secret, auth_password=auth_password
    )
    return check.new_endpoint(request, GUARD)


def _change(old: check.CheckedEndpoint, stored: _Stored | None = None, **fields: Any) -> check.CheckedEndpoint:
    request = endpoints_pb2.UpdateEndpointRequest(**fields)
    return check.changed(old.fields, stored or _Stored(), request, GUARD)


def _faults(call: Any) -> list[str]:
    with pytest.raises(ClarionError) as refused:
        call()
    assert refused.value.code is Code.INVALID
    return [field for field, _ in refused.value.fields]


def test_a_new_endpoint_has_defaults() -> None:
    """A webhook that is pushed to, one at a time, active, whatever the request says of that."""
    found = _new(active=False)
    assert found.fields == check.EndpointFields(
        environment_id="",
        application_id="",
        kind=endpoints_pb2.ENDPOINT_KIND_WEBHOOK,
        mode=endpoints_pb2.ENDPOINT_MODE_PUSH,
        url="https://shop.example/",
        description="",
        metadata={},
        config=b"{}",
        header_names=(),
        auth_username="",
        rate_per_s=0,
        batch_size=1,
        retry_delays_s=(),
    )
    assert (found.headers, found.auth) == ({}, "")


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"tenant_id": "x"}, ["tenant_id"]),
        ({"environment_id": "x"}, ["environment_id"]),
        ({"application_id": "X"}, ["application_id"]),
        ({"url": ""}, ["url"]),
        ({"url": "http://10.0.0.1/"}, ["url"]),
        ({"url": "https://a.example/", "mode": POLLED}, ["url"]),
        ({"url": "", "mode": POLLED, "kind": SLACK}, ["mode"]),
        ({"kind": SLACK, "secret": "whsec_" + "A" * 32}, ["secret"]),
        ({"secret": "A" * 32}, ["secret"]),
        ({"description": "x" * 1001}, ["description"]),
        ({"description": "\0"}, ["description"]),
        ({"metadata": {str(number): "" for number in range(21)}}, ["metadata"]),
        ({"metadata": {"": "x"}}, ["metadata"]),
        ({"metadata": {"a": "x" * 256}}, ["metadata.a"]),
        ({"metadata": {"a": "\0"}}, ["metadata.a"]),
        ({"config": b"[]"}, ["config"]),
        ({"config": b"{"}, ["config"]),
        ({"config": b"\xff"}, ["config"]),
        ({"config": b'{"a":"' + b"x" * 4096 + b'"}'}, ["config"]),
        ({"config": b'{"a":' * 70 + b"1" + b"}" * 70}, ["config"]),
        ({"headers": {f"X-{number}": "1" for number in range(21)}}, ["headers"]),
        ({"headers": {"X-A": "1", "x-a": "2"}}, ["headers"]),
        ({"headers": {f"X-{number}": "1" * 2000 for number in range(5)}}, ["headers"]),
        ({"headers": {"": "1"}}, ["headers."]),
        ({"headers": {"X A": "1"}}, ["headers.X A"]),
        ({"headers": {"X-A": "1\r\nX-B: 2"}}, ["headers.X-A"]),
        ({"headers": {"X-A": " 1"}}, ["headers.X-A"]),
        ({"headers": {"X-A": "é"}}, ["headers.X-A"]),
        ({"headers": {"X-A": "***"}}, ["headers.X-A"]),
        ({"headers": {"X-A": "1" * 2049}}, ["headers.X-A"]),
        ({"headers": {"Host": "a"}}, ["headers.Host"]),
        ({"headers": {"Webhook-Signature": "a"}}, ["headers.Webhook-Signature"]),
        ({"headers": {"content-LENGTH": "1"}}, ["headers.content-LENGTH"]),
        ({"headers": {"Authorization": "Bearer x"}, "auth_username": "ada"}, ["headers.authorization"]),
        ({"auth_username": "a:b"}, ["auth_username"]),
        ({"auth_username": "a\n"}, ["auth_username"]),
        ({"auth_password": "x"}, ["auth_password"]),
        ({"auth_username": "a", "auth_password": "x\n"}, ["auth_password"]),
        ({"auth_username": "a", "auth_password": "x" * 1025}, ["auth_password"]),
        ({"rate_per_s": -1}, ["rate_per_s"]),
        ({"rate_per_s": 10_001}, ["rate_per_s"]),
        ({"batch_size": -1}, ["batch_size"]),
        ({"batch_size": 101}, ["batch_size"]),
        ({"retry_delays_s": [1] * 21}, ["retry_delays_s"]),
        ({"retry_delays_s": [0]}, ["retry_delays_s"]),
        ({"retry_delays_s": [7 * 24 * 3600 + 1]}, ["retry_delays_s"]),
        ({"kind": 9, "mode": 9}, ["kind", "mode"]),
        ({"url": "x", "batch_size": 101, "description": "\0"}, ["url", "description", "batch_size"]),
    ],
)
def test_wrong_fields_are_all_named(fields: dict[str, Any], wrong: list[str]) -> None:
    """Each with its name."""
    assert _faults(lambda: _new(**fields)) == wrong


def test_a_bearer_token_may_be_a_header() -> None:
    """Where there is no basic authentication; a header may be empty."""
    assert _new(headers={"Authorization": "Bearer x", "X-Empty": ""}).fields.header_names == (
        "Authorization",
        "X-Empty",
    )


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    """Headers and the password too, which are not even decrypted."""
    old = _new(headers={"X-A": "1"}, auth_username="ada", auth_password="p", metadata={"a": "b"}, rate_per_s=3)
    new = _change(old, _Stored(is_lost=True), description="x")
    assert (new.headers, new.auth) == (None, None)
    assert new.fields.description == "x"
    assert (new.fields.metadata, new.fields.rate_per_s, new.fields.header_names) == ({"a": "b"}, 3, ("X-A",))


def test_headers_are_replaced_as_a_whole_and_may_keep_their_values() -> None:
    """By the mask that responses show."""
    old, stored = _new(headers={"X-A": "1", "X-B": "2"}), _Stored({"X-A": "1", "X-B": "2"})
    new = _change(old, stored, headers={"values": {"X-A": "***", "X-C": "3"}})
    assert new.headers == {"X-A": "1", "X-C": "3"}
    assert _change(old, stored, headers={"values": {}}).headers == {}
    assert _faults(lambda: _change(old, stored, headers={"values": {"X-C": "***"}})) == ["headers.X-C"]
    lost = _Stored(is_lost=True)
    assert _faults(lambda: _change(old, lost, headers={"values": {"X-A": "***"}})) == ["headers"]
    assert _change(old, lost, headers={"values": {"X-A": "9"}}).headers == {"X-A": "9"}


def test_a_user_name_and_a_password_change_by_themselves() -> None:
    """A new name keeps the password, a new password the name; no name means no password."""
    old, stored = _new(auth_username="ada", auth_password="p:q"), _Stored(auth="ada:p:q")
    assert _change(old, stored, auth_username="eve").auth == "eve:p:q"
    assert _change(old, stored, auth_password="").auth == "ada:"
    assert _change(old, stored, auth_username="eve", auth_password="r").auth == "eve:r"
    assert _change(old, stored, auth_username="").auth == ""
    assert _change(_new(), _Stored(), auth_username="eve").auth == "eve:"
    assert _faults(lambda: _change(_new(), _Stored(), auth_password="x")) == ["auth_password"]
    assert _faults(lambda: _change(old, _Stored(is_lost=True), auth_username="eve")) == ["auth_password"]
    with_header = _new(headers={"Authorization": "x"})
    assert _faults(lambda: _change(with_header, auth_username="eve")) == ["headers.authorization"]


def test_an_address_is_checked_again_only_if_it_changes() -> None:
    """An endpoint whose address was forbidden since can still be disabled and renamed."""
    guard = EgressGuard(EgressPolicy(allow=["10.0.0.1:80"]), Ports(frozenset({80}), "CLARION_EGRESS_HTTP_PORTS"))
    wanted = endpoints_pb2.Endpoint(url="http://10.0.0.1/")
    old = check.new_endpoint(endpoints_pb2.CreateEndpointRequest(tenant_id=TENANT, endpoint=wanted), guard)
    assert _change(old, active=False).fields.url == "http://10.0.0.1/"
    assert _change(old, url="http://10.0.0.1/", description="x").fields.description == "x"
    assert _faults(lambda: _change(old, url="http://10.0.0.1/x")) == ["url"]


def test_a_mode_has_its_own_rule_for_the_address() -> None:
    """None for what is read, one for what is sent to."""
    pushed, polled = _new(), _new(url="", mode=POLLED)
    assert _faults(lambda: _change(pushed, mode=POLLED)) == ["url"]
    assert _change(pushed, mode=POLLED, url="").fields.url == ""
    assert _faults(lambda: _change(polled, mode=ORDERED)) == ["url"]
    assert _change(polled, mode=ORDERED, url="https://a.example").fields.mode == ORDERED


@pytest.mark.parametrize(("size", "is_right"), [(23, False), (24, True), (64, True), (65, False)])
def test_a_secret_has_bounds(size: int, *, is_right: bool) -> None:
    """Those of Standard Webhooks."""
    secret = "whsec_" + base64.b64encode(bytes(size)).decode()
    assert (not list(wrong_secret(secret))) == is_right


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_!" + "A" * 32, "whsec_é" + "A" * 32, "whsec_" + "A" * 33, "A" * 40]
)
def test_a_secret_is_base64_behind_its_prefix(secret: str) -> None:
    """Nothing else is taken."""
    assert [field for field, _ in wrong_secret(secret)] == ["secret"]


def test_what_is_sealed_is_opened_by_its_endpoint_alone() -> None:
    """Another endpoint's context, tenant or key opens nothing; nothing is sealed where there is nothing."""
    vault = Vault(encryption_key())
    seal = EndpointSeal(vault, TENANT, ENDPOINT)
    first, second = seal.secret(), seal.secret()
    assert first.text != second.text
    assert not list(wrong_secret(first.text))
    assert seal.open_secret(first.id, first.ciphertext) == first.text
    for other in (
        EndpointSeal(vault, ENDPOINT, TENANT),
        EndpointSeal(vault, TENANT, TENANT),
        EndpointSeal(Vault(encryption_key()), TENANT, ENDPOINT),
    ):
        with pytest.raises(ValueError, match="no encryption key"):
            other.open_secret(first.id, first.ciphertext)
        with pytest.raises(ValueError, match="no encryption key"):
            other.hidden(seal.headers({"A": "1"}), b"").headers()
    hidden = seal.hidden(seal.headers({"A": "é"}), seal.auth("ada:p"))
    assert (hidden.headers(), hidden.auth()) == ({"A": "é"}, "ada:p")
    assert (seal.headers({}), seal.auth("")) == (b"", b"")
    assert (seal.hidden(b"", b"").headers(), seal.hidden(b"", b"").auth()) == ({}, "")


def test_catalogs_name_wrong_fields() -> None:
    """Of event types, environments and applications."""

    def application(**fields: Any) -> list[str]:
        wanted = catalogs_pb2.Application(**{"tenant_id": TENANT, "name": "Acme", **fields})
        return _faults(lambda: catalogs.check_application(wanted))

    assert application(name="", external_id="x" * 256, max_endpoints=-1) == ["external_id", "name", "max_endpoints"]
    assert application(metadata={str(number): "" for number in range(6)}) == ["metadata"]
    change = catalogs_pb2.UpdateApplicationRequest
    assert _faults(lambda: catalogs.check_application_change(change(name=""))) == ["name"]
    negative = change(
        max_endpoints=catalogs_pb2.OptionalCount(value=-1), metadata=catalogs_pb2.Labels(values={"a": "x" * 256})
    )
    assert _faults(lambda: catalogs.check_application_change(negative)) == ["metadata.a", "max_endpoints"]
    environment = catalogs_pb2.CreateEnvironmentRequest
    for slug in ("", "A", "a_b", "x" * 51):
        request = environment(tenant_id=TENANT, name="x", slug=slug)
        assert _faults(lambda: catalogs.check_environment(request)) == ["slug"]  # noqa: B023
    assert _faults(lambda: catalogs.check_environment(environment(tenant_id=TENANT, slug="a"))) == ["name"]
    event_type = catalogs_pb2.CreateEventTypeRequest(tenant_id="x", name="A", description="x" * 1001)
    assert _faults(lambda: catalogs.check_event_type(event_type)) == ["tenant_id", "description", "name"]


@pytest.mark.parametrize("name", ["direct", "endpoint.test"])
def test_types_of_events_for_one_endpoint_are_reserved(name: str) -> None:
    """Events of these types go to one named endpoint, so nobody may subscribe to them."""
    event_type = catalogs_pb2.CreateEventTypeRequest(tenant_id=TENANT, name=name)
    assert _faults(lambda: catalogs.check_event_type(event_type)) == ["name"]
    catalogs.check_event_type(catalogs_pb2.CreateEventTypeRequest(tenant_id=TENANT, name=f"{name}.more"))
