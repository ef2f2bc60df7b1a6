"""What is accepted as a template, the platform's own, and what is remembered of versions."""

import re
import time
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from services.domain import channels
from services.render import content, parts, platform_templates, sources, templates
from services.render.frames import EMAIL, PUSH, SMS, TemplateSource
from services.render.sources import CachedTemplateSources
from services.render.templates import NewTemplate

TITLED = {"title": "A <title>", "message": "Some & more"}


@pytest.mark.parametrize(
    ("channel", "subject", "body", "fields"),
    [
        (EMAIL, "s", "b", []),
        (SMS, "", "b", []),
        (PUSH, "ü" * 2000, "b" * 256 * 1024, []),
        (0, "", "b", ["channel"]),
        (4, "", "b", ["channel"]),
        (-1, "", "b", ["channel"]),
        (SMS, "", "", ["body"]),
        (SMS, "", " \n", ["body"]),
        (SMS, "", "b" * (256 * 1024 + 1), ["body"]),
        (SMS, "", "ü" * (128 * 1024 + 1), ["body"]),
        (SMS, "s" * 2001, "b", ["subject"]),
        (SMS, "a\0", "b\0", ["subject", "body"]),
        (9, "s" * 2001, "", ["channel", "body", "subject"]),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_content_faults(channel: int, subject: str, body: str, fields: list[str]) -> None:
    """Sizes are counted in bytes of the body and characters of the subject; every violation is told."""
    assert [fault.field for fault in templates.content_faults(NewTemplate("", "", channel, subject, body))] == fields


@pytest.mark.parametrize(
    ("tenant_id", "event_type", "namespace", "fields"),
    [
        ("t1", "order.confirmed", "", []),
        ("", "global.info", "", []),
        ("t_-9", "é", "orders-1_A", []),
        ("t" * 64, "e" * 255, "n" * 64, []),
        ("platform", "e", "", ["tenant_id"]),
        ("a.b", "e", "", ["tenant_id"]),
        ("t\n", "e", "", ["tenant_id"]),
        ("t" * 65, "e", "", ["tenant_id"]),
        ("t", "", "", ["event_type"]),
        ("t", "e" * 256, "", ["event_type"]),
        ("t", "a\nb", "", ["event_type"]),
        ("t", "e", "a.b", ["push_namespace"]),
        ("t", "e", "n" * 65, ["push_namespace"]),
        ("*", "\0", "é", ["tenant_id", "event_type", "push_namespace"]),
    ],
)
def test_violations_of_names(tenant_id: str, event_type: str, namespace: str, fields: list[str]) -> None:
    """Names that become keys and subjects elsewhere hold nothing special."""
    new = NewTemplate(tenant_id, event_type, SMS, "", "b", namespace)
    assert [fault.field for fault in templates._faults(new)] == fields


def test_platform_templates_are_complete() -> None:
    """Each global type on each channel once, for no tenant, and acceptable."""
    made = platform_templates.templates()
    kinds = {(new.event_type, new.channel) for new in made}
    assert kinds == {(event_type, channel) for event_type in templates.GLOBAL_TYPES for channel in channels.FOR_PEOPLE}
    assert len(made) == len(kinds)
    assert [templates._faults(new) for new in made] == [[]] * len(made)
    assert {new.tenant_id for new in made} == {""}


@pytest.mark.parametrize("new", platform_templates.templates(), ids=lambda new: f"{new.event_type}-{new.channel}")
def test_platform_templates_render(new: NewTemplate) -> None:
    """Title and message are shown and escaped; a missing title is the kind's heading."""
    compiled = content.compile_source(TemplateSource(new.channel, new.subject, new.body))
    content.check(TemplateSource(new.channel, new.subject, new.body))
    rendered, bare = (
        content.render(compiled, data, limit=100_000, deadline=time.process_time() + 60)
        for data in (TITLED, {"message": TITLED["message"]})
    )
    shown = {EMAIL: rendered.text, SMS: rendered.text, PUSH: f"{rendered.title}\n{rendered.body}"}[new.channel]
    assert "Some & more" in shown
    assert "A <title>" in shown
    heading = {"global.info": "Information"}.get(new.event_type, new.event_type.removeprefix("global.").capitalize())
    assert bare.subject + bare.title == ("" if new.channel == SMS else heading)
    assert "<title>A &lt;title&gt;</title>" in rendered.html or new.channel != EMAIL
    assert "$" not in new.subject + new.body


class _Versions:
    """A store that holds any version of one size, and remembers what it was asked."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.asked: list[str] = []

    async def sources(self, version_ids: Collection[str]) -> Mapping[str, TemplateSource]:
        """Return all but those named none."""
        self.asked.extend(version_ids)
        return {name: TemplateSource(SMS, name, "b" * self._size) for name in version_ids if name != "none"}


async def test_versions_are_asked_for_once() -> None:
    """What was read stays; what does not exist is asked for again."""
    store = _Versions(10)
    found = CachedTemplateSources(store, Client())
    assert set(await found.find(["a", "b", "none"])) == {"a", "b"}
    assert (await found.find(["b", "a", "none", "c"]))["c"].subject == "c"
    assert store.asked == ["a", "b", "none", "none", "c"]


async def test_the_least_recently_used_version_goes_first() -> None:
    """The memory is bounded by what it holds."""
    store = _Versions(sources._CACHE_BYTES // 3)
    found = CachedTemplateSources(store, Client())
    for name in ("a", "b", "a", "c", "a", "b"):
        await found.find([name])
    assert store.asked == ["a", "b", "c", "b"]
    assert found._held <= sources._CACHE_BYTES


async def test_a_version_larger_than_the_memory_is_kept_alone() -> None:
    """It is not asked for with every item."""
    store = _Versions(sources._CACHE_BYTES + 1)
    found = CachedTemplateSources(store, Client())
    for name in ("a", "a", "b", "b"):
        await found.find([name])
    assert store.asked == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("{{> a}}{{>b}}{{~#> c}}{{/c}}", {"a", "b", "c"}, id="plain"),
        pytest.param("""{{> "d e"}}{{> 'f'}}{{> [g]}}""", {"d e", "f", "g"}, id="quoted"),
        pytest.param("{{> (lookup this 'x')}}{{a}}{{#if b}}{{/if}}", set(), id="none"),
    ],
)
def test_calls_of_partials_are_found(text: str, names: set[str]) -> None:
    """By name; what only data say is not there to be found."""
    assert parts.called(text) == names


@pytest.mark.parametrize("text", ["{{>[", "{{>'", '{{>"', "{{> ", "{{>a"])
@pytest.mark.timeout(60)
def test_calls_are_found_in_linear_time(text: str) -> None:
    """In the service itself, whatever the text: at quadratic work a megabyte never ends."""
    found = {"a"} if text.endswith("a") else set()
    assert parts.called(text * 300_000, "{{>" + " " * 1_000_000) == found


def test_the_pages_examples_fit_together() -> None:
    """docs/templates.md: the partial, the layout and the template that it saves are a mail."""
    page = (Path(__file__).parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
    footer, layout, mail = (
        msgspec.json.decode(body.replace("\n", ""))
        for body in re.findall(r"^admin /\S+ '(\{.*?\})'$", page, re.DOTALL | re.MULTILINE)
    )
    partials = {footer["name"]: footer["body"]}
    source = TemplateSource(EMAIL, mail["subject"], mail["body"], mail["preheader"], layout["body"], partials)
    content.check(source)
    data = {"orderId": 7, "name": "Ada", "arrives": "2026-11-23"}
    made = content.render(content.compile_source(source), data, limit=100_000, deadline=content.deadline_after(60))
    assert (made.subject, made.preheader) == ("Order 7", "It arrives on Nov 23, 2026")
    assert made.text == "Thank you, Ada.\n\nAcorn Shop, 1 High Street"
