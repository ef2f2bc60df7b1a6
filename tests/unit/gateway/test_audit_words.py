"""Sentences of the audit log: every call that is recorded has one, whatever names are known."""

import re

import pytest

from clarion.ingest.v1 import audit_pb2
from gateway.access.table import RULES
from gateway.admin import audit_words
from gateway.admin.audit_sentences import Named, Names, Thing, object_of, page, sentence, things
from gateway.admin.routes import is_recorded
from gateway.audit_words import INFINITIVES, KINDS
from gateway.openapi.document import operations

BASE = audit_words.BASE
# A sign-in is recorded, though its call is a GET.
_SIGN_IN = ("GET", "/session/oidc/callback")
ACME = "01a1fe7a-0000-7000-8000-00000000acee"
OLGA = "01a1fe7a-0000-7000-8000-000000000019"
TEMPLATE = "01a1fe7a-0000-7000-8000-0000000000e1"
NAMES: Names = {
    Thing("user", OLGA): Named("Olga Owner", page(f"settings/users/{OLGA}")),
    Thing("tenant", ACME): Named("Acme", page(f"tenants/{ACME}", ACME)),
    Thing("template", TEMPLATE, ACME): Named("order.shipped (EMAIL)", page(f"templates/{TEMPLATE}", ACME)),
}


def _entry(call: str, **fields: object) -> audit_pb2.AuditEntry:
    """Return an entry of Olga's that succeeded. call: such as "POST /tenants"."""
    method, path = call.split(" ")
    known = {"actor": f"user:{OLGA}", "actor_email": "olga@example.com", "status": 200, **fields}
    return audit_pb2.AuditEntry(method=method, route=BASE + path, **known)  # type: ignore[arg-type]


def _text(entry: audit_pb2.AuditEntry, names: Names = NAMES) -> str:
    words = audit_words.all_words().get((entry.method, entry.route))
    return "".join(part.text for part in sentence(entry, words, names))


def test_every_call_that_is_recorded_has_words() -> None:
    """And no other has: whoever adds a route that writes adds its words in gateway/admin/audit_words.py."""
    recorded = {route for route in RULES if is_recorded(*route)}
    assert audit_words.ADMIN.keys() == recorded | {_SIGN_IN}


def test_every_form_of_the_portal_has_words() -> None:
    """Except those that open and close it, which are not recorded."""
    forms = {(one.method, one.path) for one in operations() if one.method == "POST" and one.path.startswith("/portal/")}
    assert audit_words.PORTAL.keys() == forms - {("POST", "/portal/open"), ("POST", "/portal/close")}


@pytest.mark.parametrize("route", audit_words.all_words(), ids=" ".join)
def test_words_make_sentences(route: tuple[str, str]) -> None:
    """A known kind, a verb with its infinitive, an object that the path or the response names."""
    words = audit_words.all_words()[route]
    assert words.kind in KINDS
    assert words.past.partition(" ")[0] in INFINITIVES
    assert set(re.findall(r"\{(\w*)\}", words.past)) <= {"it", "tenant"}
    if "{it}" in words.past and not words.creates:
        in_path = re.findall(r"\{(\w+)\}", route[1])
        assert words.at in in_path if words.at else in_path


def test_people_and_objects_are_named_and_linked() -> None:
    """The subject leads to the person, the object to its page."""
    entry = _entry("POST /tenants/{id}/webhook-secret", resource=ACME, tenant_id=ACME)
    words = audit_words.all_words()[entry.method, entry.route]
    parts = [(part.text, part.link) for part in sentence(entry, words, NAMES)]
    assert parts == [
        ("Olga Owner", f"/console/settings/users/{OLGA}"),
        (" ", ""),
        ("rotated the webhook secret of ", ""),
        ("Acme", f"/console/tenants/{ACME}?tenant={ACME}"),
    ]


def test_programs_are_named_by_their_tokens() -> None:
    """What an admin token created is named, with its tenant."""
    entry = _entry("POST /templates", actor="deploy", actor_email="", resource=TEMPLATE, tenant_id=ACME, status=201)
    assert _text(entry) == (
        "A program with the admin token “deploy” created the template order.shipped (EMAIL) in Acme"
    )


def test_what_was_refused_was_tried() -> None:
    """It did not happen; and what was not created has no id, though the path has the tenant's."""
    refused = _entry("POST /tenants/{id}/keys", resource=ACME, tenant_id=ACME, status=422)
    assert _text(refused) == "Olga Owner tried to create an API key in Acme, which was refused (422)"
    unfinished = _entry("DELETE /tenants/{id}", resource=ACME, tenant_id=ACME, status=0)
    assert _text(unfinished) == "Olga Owner began to deactivate Acme; whether it happened is not known"


def test_without_names_there_are_ids() -> None:
    """Of objects that are deleted, or whose service does not answer. A person has at least an address."""
    entry = _entry("DELETE /providers/{id}", resource=TEMPLATE, tenant_id=ACME, status=204)
    assert _text(entry, {}) == "olga@example.com deleted the provider 01a1fe7a…00e1 in the tenant 01a1fe7a…acee"


def test_a_call_of_another_version_is_shown_as_it_is() -> None:
    """Its words are not known here."""
    assert _text(_entry("POST /gone", status=200)) == f"Olga Owner called POST {BASE}/gone"


def test_an_object_in_a_path_is_the_one_that_the_words_mean() -> None:
    """Not the last id where the sentence is about another; none where an id holds a slash."""
    path = f"{ACME}/{TEMPLATE}/{OLGA}"
    call = "DELETE /tenants/{id}/endpoints/{endpoint_id}/subscriptions/{event_type_id}"
    entry = _entry(call, resource=path, tenant_id=ACME)
    words = audit_words.all_words()[entry.method, entry.route]
    assert object_of(entry, words) == Thing("endpoint", TEMPLATE, ACME)
    group = _entry("PUT /tenants/{id}/groups/{group_key}", resource=f"{ACME}/a/b/c", tenant_id=ACME)
    assert object_of(group, audit_words.all_words()[group.method, group.route]) is None


def test_objects_are_looked_up_for_the_tenant_of_their_entry() -> None:
    """So that an id of another tenant in a refused call finds no name."""
    entry = _entry("PATCH /providers/{id}", resource=TEMPLATE, tenant_id=ACME)
    assert things([entry], audit_words.all_words()) == {
        Thing("user", OLGA),
        Thing("tenant", ACME),
        Thing("provider", TEMPLATE, ACME),
    }
