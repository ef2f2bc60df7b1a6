"""Sentences of the audit log, from what entries hold and from the names of what they are about: pure.

An entry keeps ids and no names, because names may be of people. The names are those of today.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from clarion.ingest.v1 import audit_pb2
from gateway.audit_words import KINDS, Words

# How actors begin that are neither admin tokens nor people; see AuditEntry.actor in the proto.
USER, KEY, PORTAL = "user:", "token:", "portal:"
_SHORT = 8
_IN_ROUTE = re.compile(r"\{(\w+)\}")
_PARTS = re.compile(r"\{(it|tenant)\}")


@dataclass(frozen=True, slots=True)
class Thing:
    """What an entry is about. kind: of gateway.audit_words. tenant_id: empty for the platform's."""

    kind: str
    id: str
    tenant_id: str = ""


@dataclass(frozen=True, slots=True)
class Named:
    """name: as it is called now. path: of its page below /console, with its query; empty: it has none."""

    name: str
    path: str = ""


Names = Mapping[Thing, Named]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence. link: a path of the console; empty: none."""

    text: str
    link: str = ""

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {"text": self.text, "link": self.link or None}


def page(path: str, tenant_id: str = "", **query: str) -> str:
    """Return the path of a page of the console, with the tenant in sight."""
    asked = {"tenant": tenant_id, **query} if tenant_id else query
    return f"/console/{path}" + (f"?{urlencode(asked)}" if asked else "")


def actor_of(entry: audit_pb2.AuditEntry) -> Thing | None:
    """Return who made the change, None for an admin token."""
    for prefix, kind in ((USER, "user"), (KEY, "api_key"), (PORTAL, "application")):
        if entry.actor.startswith(prefix):
            return Thing(kind, entry.actor.removeprefix(prefix), "" if kind == "user" else entry.tenant_id)
    return None


def object_of(entry: audit_pb2.AuditEntry, words: Words | None) -> Thing | None:
    """Return what the change was about, None where the entry does not say it."""
    if words is None or "{it}" not in words.past or not entry.resource:
        return None
    names, values = _IN_ROUTE.findall(entry.route), entry.resource.split("/")
    if len(values) not in {len(names), len(names) + 1}:
        return None  # an id with a slash in it
    if words.creates:
        if len(values) == len(names):
            return None  # it was not created, so that it has no id
        found = values[-1]
    else:
        found = dict(zip(names, values, strict=False)).get(words.at or names[-1], "")
    return Thing(words.kind, found, "" if words.kind in {"user", "tenant"} else entry.tenant_id)


def tenant_of(entry: audit_pb2.AuditEntry) -> Thing | None:
    """Return the tenant that the change concerned."""
    return Thing("tenant", entry.tenant_id) if entry.tenant_id else None


def things(entries: Iterable[audit_pb2.AuditEntry], table: Mapping[tuple[str, str], Words]) -> set[Thing]:
    """Return everything whose name the sentences of the entries need."""
    found = (
        one
        for entry in entries
        for one in (actor_of(entry), tenant_of(entry), object_of(entry, table.get((entry.method, entry.route))))
    )
    return {one for one in found if one is not None}


def actor(entry: audit_pb2.AuditEntry, names: Names) -> Part:
    """Return the subject of an entry's sentence."""
    who = actor_of(entry)
    if who is None:
        return Part(f"A program with the admin token “{entry.actor}”")
    known = names.get(who)
    name, link = (known.name, known.path) if known else ("", "")
    match who.kind:
        case "user":
            return Part(name or entry.actor_email or "A person whose account is deleted", link)
        case "api_key":
            return Part(f"A program with the key {f'“{name}”' if name else _short(who.id)}", link)
    return Part(f"Somebody in the portal of “{name}”" if name else "Somebody in the portal", link)


def sentence(entry: audit_pb2.AuditEntry, words: Words | None, names: Names) -> list[Part]:
    """Return who did what, in parts that may be links."""
    tenant = tenant_of(entry)
    parts = [actor(entry, names), Part(" ")]
    for place, text in enumerate(_PARTS.split(_predicate(entry, words, tenant))):
        if place % 2 == 0:
            parts.append(Part(text))
        elif text == "tenant":
            parts += _object(tenant, "tenant", names)
        else:
            parts += _object(object_of(entry, words), words.kind if words else "", names)
    return [part for part in parts if part.text]


def _predicate(entry: audit_pb2.AuditEntry, words: Words | None, tenant: Thing | None) -> str:
    """Return what the subject did, with {it} and {tenant} in it."""
    past, infinitive = (words.past, words.infinitive) if words else (f"called {entry.method} {entry.route}", "")
    where = " in {tenant}" if tenant and words and words.kind != "tenant" and "{tenant}" not in words.past else ""
    if 0 < entry.status < 400:
        return past + where
    tried = infinitive or f"call {entry.method} {entry.route}"
    if entry.status == 0:
        return f"began to {tried}{where}; whether it happened is not known"
    return f"tried to {tried}{where}, which was refused ({entry.status})"


def _object(thing: Thing | None, kind: str, names: Names) -> list[Part]:
    noun = KINDS.get(kind, kind)
    if thing is None:
        return [Part(f"{'an' if noun[0] in 'aeiouA' else 'a'} {noun}")]
    known = names.get(thing)
    if known is None:
        return [Part(f"the {noun} {_short(thing.id)}")]
    if kind in {"tenant", "user"}:
        return [Part(known.name, known.path)]
    return [Part(f"the {noun} "), Part(known.name or _short(thing.id), known.path)]


def _short(thing_id: str) -> str:
    return f"{thing_id[:_SHORT]}…{thing_id[-4:]}" if len(thing_id) > 2 * _SHORT else thing_id
