"""Stored texts stay text: every screen of the console, the demo page, the outbox and the portal show hostile ones.

A new field is a line in hostile_world.py and its name below, where it is shown. A new screen is a row below.
"""

import contextlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from checks.client import Client
from stack.client import Running
from tests.e2e.console.conftest import OpenVisit
from tests.e2e.console.hostile import STRINGS, is_shown, seen
from tests.e2e.console.hostile_world import HostileWorld, hostile_world
from tests.e2e.console.screens import SCREENS
from tests.e2e.console.visit import WIDE_LIGHT, Look, Visit
from tests.waiting import eventually

_NARROW = Look(width=390)
_ARRIVES_S = 10.0

# By screen, the fields that it shows: of a field with a star all texts, else the first one.
SHOWN: dict[str, tuple[str, ...]] = {
    "messages": ("tenant", "template type*", "recipient*"),
    "message": ("tenant", "template type", "recipient", "answer of a mail server*", "variables*"),
    "triggers": ("tenant", "planned type"),
    "trigger": ("planned type",),
    "trigger-new": ("tenant",),
    "schedules": ("tenant", "schedule*", "planned type"),
    "schedule": ("schedule", "planned type", "variables*"),
    "schedule-new": ("tenant",),
    "overview": ("tenant",),
    "dead-letters": ("tenant", "template type*", "answer of a mail server*"),
    "refused": ("tenant", "revoked key"),
    "workflows": ("tenant", "workflow*", "workflow type"),
    "workflow": ("workflow", "workflow type", "template type", "step*", "workflow tag*", "description of a workflow"),
    "workflow-versions": ("workflow", "step"),
    "workflow-new": ("tenant",),
    "templates": ("tenant", "template type*"),
    "template": ("template type",),
    "template-editor": ("template type", "sample*"),
    "template-new": ("tenant",),
    "layouts-and-partials": ("tenant",),
    "layout": ("template*",),
    "layout-new": ("tenant",),
    "test-send": ("tenant", "template type*"),
    "providers": (),
    "providers-of-tenant": ("tenant", "provider*"),
    "provider": ("provider", "sender name", "answer of a mail server*"),
    "provider-kinds": ("tenant",),
    "provider-new": ("tenant",),
    "endpoints": (),
    "endpoints-of-tenant": ("tenant", "endpoint*"),
    "endpoint": ("endpoint",),
    "endpoint-subscriptions": ("endpoint", "filter*"),
    "endpoint-waiting": ("endpoint",),
    "endpoint-receiver": ("endpoint",),
    "endpoint-settings": ("endpoint", "user of an endpoint"),
    "endpoint-new": ("tenant",),
    "event-types": ("tenant", "event type*"),
    "applications": ("tenant", "application*"),
    "recipients": ("tenant", "recipient*", "recipient name*", "tag*"),
    "recipient": ("recipient", "recipient name", "tag*", "category*", "template type"),
    "segments": ("tenant", "segment*"),
    "segment": ("segment", "segment value*", "tag*"),
    "segment-new": ("tenant", "tag*"),
    "tags": ("tenant", "tag*"),
    "imports": ("tenant", "file*"),
    "import": ("file", "column*"),
    "import-new": ("tenant",),
    "suppressions": ("tenant", "suppression*"),
    "tenants": ("tenant*",),
    "tenant": ("tenant",),
    "tenant-settings": ("tenant", "sender name"),
    "tenant-keys": ("key*",),
    "tenant-security": ("tenant",),
    "tenant-retention": ("tenant",),
    "tenant-environments": ("environment*",),
    "settings": (),
    "alerts": ("tenant*",),
    "users": ("user*",),
    "user": ("user", "tenant"),
    "sessions": ("user agent",),
    "audit": ("tenant",),
    "sign-in": (),
    "join": ("user",),
    "not-found": (),
}


@dataclass(frozen=True)
class Page:
    """name: of the page in what is said of it. path: on the gateway. fields: as above. opens: a list to choose from."""

    name: str
    path: str
    fields: tuple[str, ...] = ()
    opens: str = ""


_MORE = (
    Page("message of a webhook", "/console/messages/{webhook}", ("answer of a receiver*", "endpoint")),
    Page("workflows to choose from", "/console/triggers/new?tenant={tenant}", ("workflow*",), "Workflow"),
    Page(
        "segments to choose from", "/console/triggers/new?tenant={tenant}&segment={segment}", ("segment*",), "Segment"
    ),
    Page(
        "recipients to choose from",
        "/console/triggers/new?tenant={tenant}&recipient={recipient}",
        ("recipient name*",),
        "Recipient",
    ),
    Page("partial", "/console/templates/parts/{partial}", ("template*",)),
    Page("template of a new type", "/console/templates/new?tenant={tenant}&event_type={text}", ("text",)),
    Page("demo page with the inbox", "/demo", ("demo*",)),
    Page("outbox", "/demo/outbox", ("demo*",)),
)
# What somebody may paste into the address. The page shows it as text or not at all.
_PASTED = tuple(
    Page(f"address {path}", f"/console{path}")
    for path in (
        "/messages?recipient={text}&event_type={text}&reason={text}&provider={text}&event_id={text}",
        "/messages?tenant={text}",
        "/messages/{text}",
        "/dead-letters?tenant={tenant}&event_type={text}&provider={text}&endpoint_id={text}",
        "/refused?tenant={tenant}&reason={text}&key_id={text}",
        "/triggers/{text}",
        "/schedules/{text}?tenant={tenant}",
        "/templates?tenant={tenant}&q={text}",
        "/providers/new?tenant={tenant}&kind={text}",
        "/endpoints/{text}?tenant={tenant}",
        "/recipients?tenant={tenant}&tag={text}",
        "/suppressions?tenant={tenant}&address={text}",
        "/settings/users?search={text}",
        "/settings/audit?actor={text}&resource={text}",
        "/no-such-page/{text}",
        "/join#{text}",
        "/sign-in?next=javascript:__hostile(4)",
    )
)

# Goes through the document and all shadow roots. Returns all texts and values, elements that a text became, and
# addresses that would run something.
_LOOK = r"""() => {
    const texts = [], made = [], addresses = [];
    const look = (root) => {
        texts.push(root.textContent ?? "");
        for (const element of root.querySelectorAll("*")) {
            if (element.hasAttribute("data-hostile")) made.push(element.outerHTML.slice(0, 200));
            if (typeof element.value === "string") texts.push(element.value);
            for (const { name, value } of element.attributes) {
                if (["title", "aria-label", "placeholder", "alt"].includes(name)) texts.push(value);
                if (/^on/.test(name)) addresses.push(`${name}=${value.slice(0, 100)}`);
                const isAddress = ["href", "src", "action", "formaction", "xlink:href", "data"].includes(name);
                if (isAddress && /^[\s\x00-\x1f]*(javascript|data:text|vbscript):/i.test(value)) addresses.push(value);
            }
            if (element.shadowRoot) look(element.shadowRoot);
        }
    };
    look(document.documentElement);
    return { texts, made, addresses };
}"""


class Watcher:
    """Looks at pages for what must not be there. ran: which scripts of the texts did."""

    def __init__(self, visit: Visit, world: HostileWorld) -> None:
        self.visit = visit
        self.world = world
        self.ran: list[Any] = []

    async def begin(self) -> None:
        """Be told of each script that runs, in any frame, and of dialogs."""
        await self.visit.page.expose_binding("__hostile", lambda _source, which: self.ran.append(which))

        async def closed(dialog: Any) -> None:
            self.ran.append(dialog.message)
            await dialog.dismiss()

        self.visit.page.on("dialog", closed)

    async def _missing(self, wanted: list[str]) -> list[str]:
        """Return the texts that no part of the page shows."""
        texts: list[str] = (await self.visit.page.evaluate(_LOOK))["texts"]
        frames = self.visit.page.frames[1:]
        texts += [await frame.evaluate("document.documentElement.textContent") for frame in frames]
        shown = " ".join(seen(text) for text in texts)
        return [text for text in wanted if not is_shown(text, shown)]

    def _wanted(self, fields: tuple[str, ...]) -> list[str]:
        wanted = []
        for field in fields:
            texts = self.world.texts[field.removesuffix("*")]
            wanted += texts if field.endswith("*") else texts[:1]
        return wanted

    async def faults(self, page: Page) -> list[str]:
        """Open a page, and return all that is wrong with it."""
        ids = {**self.world.ids, "text": quote(" ".join(STRINGS[:8]), safe="")}
        visit, path = self.visit, page.path.format_map(ids)
        await visit.look(WIDE_LIGHT)
        if path.startswith("/console"):
            await visit.open(path.removeprefix("/console"))
        else:
            await visit.page.goto(visit.url + path)
        if page.opens:
            await visit.page.get_by_role("combobox", name=page.opens, exact=True).press("ArrowDown")
        wanted, missing = self._wanted(page.fields), [""]

        async def is_all_there() -> bool:
            missing[:] = await self._missing(wanted)
            return not missing

        with contextlib.suppress(AssertionError):  # what is missing is said below
            await eventually(is_all_there, _ARRIVES_S, every=0.25)
        found = await visit.page.evaluate(_LOOK)
        said = [f"does not show {text!r}" for text in missing]
        said += [f"made an element of a text: {one}" for one in found["made"]]
        said += [f"holds an address or a handler that runs something: {one}" for one in found["addresses"]]
        said += [f"ran a script: {one}" for one in self.ran]
        await visit.look(_NARROW)
        for check in (visit.assert_well_formed, visit.assert_faultless):
            try:
                if path.startswith("/console") and (waiting := check()):
                    await waiting
            except AssertionError as error:
                said.append(str(error))
        self.ran.clear()
        visit.faults.clear()
        return [f"{page.name} {one}" for one in said]


def test_every_screen_has_a_row() -> None:
    """Whoever adds a screen says which stored texts it shows."""
    assert set(SHOWN) == {screen.name for screen in SCREENS}


@pytest.mark.timeout(600)
async def test_what_is_stored_stays_text(open_visit: OpenVisit, client: Client, running: Running) -> None:
    """It is found as text on every page that shows it; nothing is made of it, runs, or asks another host."""
    faults: list[str] = []
    async with (
        hostile_world(client, running) as world,
        open_visit(token="") as inside,
        open_visit(token="") as outside,
    ):
        watchers = {signed_out: Watcher(visit, world) for signed_out, visit in ((False, inside), (True, outside))}
        for watcher in watchers.values():
            await watcher.begin()
            # Addresses of objects that are not there, and forms that refuse a word.
            watcher.visit.allow(r"status of 4(01|04|22)")
        await inside.sign_in(world.boss)
        for screen in SCREENS:
            page = Page(screen.name, f"/console{screen.path}", SHOWN[screen.name])
            faults += await watchers[screen.signed_out].faults(page)
        for page in (*_MORE, *_PASTED):
            faults += await watchers[bool(re.search("/(join|sign-in)", page.path))].faults(page)
        faults += await _in_the_portal(watchers[True])
    assert not faults, "\n".join(faults)


async def _in_the_portal(watcher: Watcher) -> list[str]:
    """Open the portal by its link, and look at the list of endpoints and at the page of one."""
    page = watcher.visit.page
    await page.goto(watcher.visit.url + watcher.world.ids["portal"])
    await page.get_by_role("button").first.click()
    return [
        *await watcher.faults(Page("portal", "/portal", ("application", "endpoint"))),
        *await watcher.faults(Page("endpoint in the portal", "/portal/endpoints/{endpoint}", ("endpoint",))),
    ]
