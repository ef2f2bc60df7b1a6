"""Layouts, partials, locales, diffs and previews over real gRPC, on PostgreSQL, NATS and a worker."""

import asyncio
from typing import Any

import asyncpg
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.render.v1 import locales_pb2, parts_pb2, render_pb2, render_pb2_grpc, templates_pb2
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, GrpcServer, channel
from services.delivery.render_client import RenderClient
from services.domain import topology
from services.render import render
from services.render.applying import PartRollout
from services.render.part_store import PostgresParts
from services.render.parts import PartLibrary
from services.render.pool import WorkerPool
from services.render.servicer import RENDER_SERVICE
from services.render.sources import CachedTemplateSources
from services.render.store import PostgresTemplates
from services.render.templates import TemplateLibrary
from tests.conftest import free_port
from tests.integration.render.conftest import TOKEN, Service

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
LAYOUT, PARTIAL = templates_pb2.PART_KIND_LAYOUT, templates_pb2.PART_KIND_PARTIAL
AROUND = (
    "<mjml><mj-body>{{{content}}}<mj-section><mj-column><mj-text>%s</mj-text></mj-column></mj-section></mj-body></mjml>"
)
SECTION = "<mj-section><mj-column><mj-text>Hi {{name}} {{> sign}}</mj-text></mj-column></mj-section>"


async def part(service: Service, kind: int, name: str, body: str, tenant_id: str = "t1") -> parts_pb2.PartVersion:
    """Create a part."""
    request = parts_pb2.CreatePartRequest(tenant_id=tenant_id, kind=kind, name=name, body=body)  # type: ignore[arg-type]
    answer: parts_pb2.CreatePartResponse = await service.call(service.parts.CreatePart, request)
    return answer.part


async def activate(service: Service, version_id: str) -> templates_pb2.TemplateVersion:
    """Activate a version."""
    request = templates_pb2.ActivateTemplateRequest(template_version_id=version_id)
    answer: templates_pb2.ActivateTemplateResponse = await service.call(service.templates.ActivateTemplate, request)
    return answer.template


async def text(service: Service, version_id: str) -> str:
    """What a version renders to for Ada."""
    (result,) = await service.batch((version_id, b'{"name":"Ada"}'))
    assert not result.failure.reason, result.failure
    return result.content.text


async def refusal(service: Service, method: Any, request: Any) -> ClarionError:
    """Why a call is refused."""
    with pytest.raises(ClarionError) as refused:
        await service.call(method, request)
    return refused.value


async def test_parts_are_pinned_at_save(service: Service, store: PostgresTemplates, broker: Client) -> None:
    """A version renders with the parts of its day, from any store; a later one gets the newer ones."""
    await part(service, LAYOUT, "base", AROUND % "one")
    await part(service, PARTIAL, "name", "Acorn")
    await part(service, PARTIAL, "sign", "{{> name}}!")
    first = await service.create(EMAIL, SECTION, subject="s", layout="base")
    assert [(one.kind, one.name, one.version) for one in first.parts] == [
        (LAYOUT, "base", 1),
        (PARTIAL, "sign", 1),
        (PARTIAL, "name", 1),
    ]
    newer = await part(service, LAYOUT, "base", AROUND % "two")
    await part(service, PARTIAL, "name", "Oak")
    second = await service.create(EMAIL, SECTION, subject="s", layout="base")
    assert newer.version == 2
    assert await text(service, first.id) == "Hi Ada Acorn!\n\none"
    assert await text(service, second.id) == "Hi Ada Oak!\n\ntwo"
    # From PostgreSQL and from the bucket alike.
    stored = (await CachedTemplateSources(store, broker).find([first.id]))[first.id]
    published = (await CachedTemplateSources(store, broker)._published([first.id]))[first.id]
    assert stored == published
    assert stored.partials == {"sign": "{{> name}}!", "name": "Acorn"}


async def test_a_tenants_own_part_comes_before_the_platforms(service: Service) -> None:
    """And other tenants do not see it."""
    await part(service, PARTIAL, "sign", "platform", tenant_id="")
    assert await text(service, (await service.create(SMS, "{{> sign}}")).id) == "platform"
    await part(service, PARTIAL, "sign", "mine")
    assert await text(service, (await service.create(SMS, "{{> sign}}")).id) == "mine"
    assert await text(service, (await service.create(SMS, "{{> sign}}", tenant_id="t2")).id) == "platform"


async def test_refresh_and_apply(service: Service) -> None:
    """Active templates can be given a new part: each as a new version; one that would break stays."""
    await part(service, PARTIAL, "sign", 'one {{> inner}}{{#*inline "inner"}}{{/inline}}')
    used = [await service.create(SMS, f"{number} {{{{> sign}}}}", event_type=f"e{number}") for number in range(3)]
    for one in used[:2]:
        await activate(service, one.id)
    request = templates_pb2.RefreshTemplateRequest(template_version_id=used[0].id)
    assert (await refusal(service, service.templates.RefreshTemplate, request)).code is Code.CONFLICT

    newer = await part(service, PARTIAL, "sign", "two")
    applied = await service.call(service.parts.ApplyPart, parts_pb2.ApplyPartRequest(part_version_id=newer.id))
    assert [(one.event_type, one.version, one.active) for one in applied.updated] == [("e0", 2, True), ("e1", 2, True)]
    assert (list(applied.failed), applied.more) == ([], False)
    assert await text(service, applied.updated[0].id) == "0 two"
    again = await service.call(service.parts.ApplyPart, parts_pb2.ApplyPartRequest(part_version_id=newer.id))
    assert not again.updated
    refreshed = await service.call(
        service.templates.RefreshTemplate, templates_pb2.RefreshTemplateRequest(template_version_id=used[2].id)
    )
    assert (refreshed.template.version, refreshed.template.active) == (2, False)


_FIFTY_OF_IT = """
INSERT INTO render.templates (
    id, tenant_id, event_type, channel, version, subject, body, push_namespace, part_ids, active
)
SELECT id || number, tenant_id, event_type || number, channel, version, subject, body, push_namespace, part_ids, true
  FROM render.templates, generate_series(1, 50) AS number
 WHERE id = $1
"""


async def test_apply_goes_on_behind_what_fails(service: Service, database: "asyncpg.Pool[asyncpg.Record]") -> None:
    """However many would not compile: they are named, and the next call gets on to those behind them."""
    await part(service, PARTIAL, "sign", "one")
    await database.execute(_FIFTY_OF_IT, (await service.create(EMAIL, "{{> sign}}", event_type="e")).id)
    behind = await service.create(SMS, "{{> sign}}")
    await activate(service, behind.id)
    newer = await part(service, PARTIAL, "sign", "<mj-unknown>")
    applied = await service.call(
        service.parts.ApplyPart, parts_pb2.ApplyPartRequest(part_version_id=newer.id), deadline=30
    )
    assert applied.more
    failed, updated = [*applied.failed], [*applied.updated]
    while applied.more:
        request = parts_pb2.ApplyPartRequest(part_version_id=newer.id, cursor=applied.next_cursor)
        applied = await service.call(service.parts.ApplyPart, request, deadline=30)
        failed += applied.failed
        updated += applied.updated
    assert len({one.template_version_id for one in failed}) == len(failed) == 50
    assert all("mj-unknown" in one.detail for one in failed)
    assert [(one.event_type, one.version) for one in updated] == [(behind.event_type, 2)]
    assert applied.next_cursor == ""


async def test_apply_ends_in_time(
    service: Service, pool: WorkerPool, broker: Client, database: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """With what it has done so far, and where to go on: the next template would be too late."""
    await part(service, PARTIAL, "sign", "one")
    used = [await service.create(SMS, "{{> sign}}", event_type=f"e{number}") for number in range(2)]
    for one in used:
        await activate(service, one.id)
    newer = await part(service, PARTIAL, "sign", "two")
    renderer, kept = (
        render.TemplateRenderer(pool, CachedTemplateSources(service.store, broker)),
        PostgresParts(database),
    )
    templates = TemplateLibrary(service.store, renderer, PartLibrary(kept, renderer))
    # It begins, has thirty seconds for the first, and none for the second.
    applying = PartRollout(kept, templates, now=iter((0.0, 0.0, 30.0)).__next__)
    applied = await applying.apply(newer.id, 30.0)
    assert [one.template.event_type for one in applied.updated] == ["e0"]
    assert (applied.failed, applied.next_cursor) == ([], used[0].id)
    rest = await PartRollout(kept, templates).apply(newer.id, 30.0, applied.next_cursor)
    assert [one.template.event_type for one in rest.updated] == ["e1"]
    assert rest.next_cursor == ""


async def test_parts_are_checked(service: Service) -> None:
    """A part that cannot be used is refused with field and place; so is a template that names none."""
    for kind, name, body, field, says in (
        (LAYOUT, "a", "<mjml></mjml>", "body", "{{{content}}} exactly once"),
        (LAYOUT, "a", "<mjml>\n{{{content}}}<b></mjml>", "body", "Line 2"),
        (PARTIAL, "a", "x\n{{#if}}", "body", "Line 2, column 1"),
        (PARTIAL, "a", "x{{> nothing}}", "body", "nothing"),
        (PARTIAL, "a b", "x", "name", "letters"),
        (PARTIAL, "a", " ", "body", "empty"),
        (0, "a", "x", "kind", "LAYOUT"),
    ):
        request = parts_pb2.CreatePartRequest(tenant_id="t1", kind=kind, name=name, body=body)  # type: ignore[arg-type]
        refused = await refusal(service, service.parts.CreatePart, request)
        assert refused.code is Code.INVALID
        assert [one for one, _ in refused.fields] == [field]
        assert says in refused.fields[0][1]
    for fields, field in (
        ({"channel": EMAIL, "layout": "no"}, "layout"),
        ({"channel": SMS, "preheader": "p"}, "preheader"),
    ):
        new = templates_pb2.CreateTemplateRequest(tenant_id="t1", event_type="e", body="x", **fields)  # type: ignore[arg-type]
        refused = await refusal(service, service.templates.CreateTemplate, new)
        assert [one for one, _ in refused.fields] == [field]


async def test_parts_are_listed(service: Service) -> None:
    """Newest first, by kind and name, or only the newest of each name."""
    made = [(await part(service, PARTIAL, name, "x")).id for name in ("a", "a", "b")]
    await part(service, LAYOUT, "a", AROUND % "x")

    async def listed(**filters: Any) -> list[str]:
        answer = await service.call(service.parts.ListParts, parts_pb2.ListPartsRequest(tenant_id="t1", **filters))
        return [one.id for one in answer.parts]

    assert await listed(kind=PARTIAL) == made[::-1]
    assert await listed(kind=PARTIAL, newest_only=True) == [made[2], made[1]]
    assert await listed(kind=PARTIAL, name="a", limit=1, cursor=made[1]) == [made[0]]
    shown = await service.call(service.parts.GetPart, parts_pb2.GetPartRequest(part_version_id=made[1]))
    assert (shown.part.name, shown.part.version) == ("a", 2)
    refused = await refusal(service, service.parts.GetPart, parts_pb2.GetPartRequest(part_version_id="no"))
    assert refused.code is Code.NOT_FOUND


async def test_one_active_version_per_locale(service: Service, broker: Client) -> None:
    """Locales are apart: each has its active version, and the router is told of all, and of the default."""
    plain = await service.create(SMS, "x")
    old, new = [await service.create(SMS, body, locale="pt_br") for body in ("old", "new")]
    assert (old.locale, new.version) == ("pt-BR", 3)
    for one in (plain, old, new):
        await activate(service, one.id)
    default = locales_pb2.SetDefaultLocaleRequest(tenant_id="t1", locale="pt_br")
    assert (await service.call(service.locales.SetDefaultLocale, default)).locale == "pt-BR"
    request = templates_pb2.ResolveTemplatesRequest(tenant_id="t1", event_type="order.confirmed")
    answer = await service.call(service.templates.ResolveTemplates, request)
    assert {one.locale: one.template_version_id for one in answer.templates} == {"": plain.id, "pt-BR": new.id}
    assert answer.default_locale == "pt-BR"
    bucket = await broker.jetstream().key_value(BUCKET)
    assert (await bucket.get(topology.locale_key("t1"))).value == b"pt-BR"

    rolled_back = await activate(service, old.id)
    assert rolled_back.activated_at_us
    listing = templates_pb2.ListTemplatesRequest(tenant_id="t1", locale="pt-BR", active_only=True)
    assert [one.id for one in (await service.call(service.templates.ListTemplates, listing)).templates] == [old.id]
    wrong = locales_pb2.SetDefaultLocaleRequest(tenant_id="t1", locale="klingon!")
    assert (await refusal(service, service.locales.SetDefaultLocale, wrong)).code is Code.INVALID


async def test_diff(service: Service) -> None:
    """A unified diff of what differs, parts included; only of one kind."""
    await part(service, PARTIAL, "sign", "one")
    old = await service.create(SMS, "one\ntwo {{> sign}}\nthree")
    await part(service, PARTIAL, "sign", "two")
    new = await service.create(SMS, "one\n2 {{> sign}}\nthree")

    async def diff(before: str, after: str) -> templates_pb2.DiffTemplatesResponse:
        request = templates_pb2.DiffTemplatesRequest(from_version_id=before, to_version_id=after)
        answer: templates_pb2.DiffTemplatesResponse = await service.call(service.templates.DiffTemplates, request)
        return answer

    found = await diff(old.id, new.id)
    assert list(found.changed) == ["body", "parts"]
    assert found.unified.splitlines()[:6] == [
        "--- body v1",
        "+++ body v2",
        "@@ -1,3 +1,3 @@",
        " one",
        "-two {{> sign}}",
        "+2 {{> sign}}",
    ]
    assert "+partial sign v2" in found.unified
    same = await diff(old.id, old.id)
    assert (list(same.changed), same.unified) == ([], "")
    other = await service.create(EMAIL, "x")
    request = templates_pb2.DiffTemplatesRequest(from_version_id=old.id, to_version_id=other.id)
    assert (await refusal(service, service.templates.DiffTemplates, request)).code is Code.INVALID


async def test_a_hostile_diff_ends(service: Service) -> None:
    """Two texts made to be slow to compare cost a worker its life, not the caller his patience."""
    old = await service.create(SMS, "\n".join(f"{number % 7}{number % 199}" for number in range(30_000)))
    new = await service.create(SMS, "\n".join(f"{number % 5}{number % 197}" for number in range(30_000)))
    request = templates_pb2.DiffTemplatesRequest(from_version_id=old.id, to_version_id=new.id)
    refused = await refusal(service, service.templates.DiffTemplates, request)
    assert refused.code is Code.INVALID
    assert "cannot be compared" in refused.detail
    assert await text(service, (await service.create(SMS, "still here")).id) == "still here"


async def test_preview_reports(service: Service) -> None:
    """Preheader, size, what is missing and unused; with unsaved parts before the saved ones."""
    await part(service, LAYOUT, "base", AROUND % "saved")
    await part(service, PARTIAL, "sign", "saved {{who}}")
    request = render_pb2.PreviewRequest(
        channel=EMAIL,
        tenant_id="t1",
        subject="S {{name}}",
        preheader="P {{name}}",
        body=SECTION,
        layout="base",
        partials={"sign": "draft {{who}}"},
        variables=b'{"name":"Ada","extra":1}',
    )
    answer = await service.call(service.render.Preview, request)
    assert (answer.content.subject, answer.content.preheader) == ("S Ada", "P Ada")
    assert answer.content.text == "Hi Ada draft\n\nsaved"
    report = answer.report
    assert (report.format, report.size, report.clipped) == ("mjml", len(answer.content.html.encode()), False)
    assert [(one.name, one.field, one.line) for one in report.missing] == [("who", "partials.sign", 1)]
    assert list(report.unused) == ["extra"]

    request.layout_body = "<p>{{{content}}}</p>" + "x" * 103 * 1024
    request.body = "b {{> sign}}"
    answer = await service.call(service.render.Preview, request)
    assert (answer.report.format, answer.report.clipped) == ("html", True)

    request.body = "b {{> sign}}\n{{#if}}"
    answer = await service.call(service.render.Preview, request)
    assert [(one.field, one.line) for one in answer.failure.faults] == [("body", 2)]
    sms = render_pb2.PreviewRequest(channel=SMS, body="{{x}}", variables=b'{"x":"%s"}' % ("я" * 71).encode())
    answer = await service.call(service.render.Preview, sms)
    assert (answer.content.sms_segments, answer.content.sms_encoding) == (2, "UCS-2")


async def test_what_had_no_turn_is_put_off_alone(service: Service) -> None:
    """Slow templates' neighbours in a batch are rendered, and what found no time is a result or OVERLOADED."""
    body = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}"
    slow = [(await service.create(SMS, f"{number}{body}")).id for number in range(30)]
    quick = (await service.create(SMS, "quick")).id
    data = b'{"a":[%s0]}' % (b"0," * 400)
    items = [
        render_pb2.RenderItem(template_version_id=version_id, variables=data) for version_id in [*[quick] * 64, *slow]
    ]
    request = render_pb2.RenderBatchRequest(items=items, partial=True)
    answer = await service.call(service.render.RenderBatch, request, deadline=4)
    assert [result.content.text for result in answer.results[:64]] == ["quick"] * 64
    reasons = {result.failure.reason for result in answer.results[64:]}
    assert "no_turn" in reasons
    assert reasons <= {"render_timeout", "no_turn"}

    async with channel(service.address) as connection:
        renderer = RenderClient(connection, Caller(TOKEN))
        delivery = event_pb2.Delivery(template_version_id=quick, variables=data)
        assert (await renderer.render(delivery)).content.text == "quick"


async def test_what_waits_behind_its_templates_heavy_items_is_no_failure(service: Service) -> None:
    """Who had a turn and used it up has failed; who had none is put off, of the same template or not."""
    body = "{{#each a}}{{#each ../a}}{{#each ../../a}}{{/each}}{{/each}}{{/each}}Hi {{name}}"
    version_id = (await service.create(SMS, body)).id
    heavy = render_pb2.RenderItem(template_version_id=version_id, variables=b'{"a":[%s0]}' % (b"0," * 400))
    request = render_pb2.RenderBatchRequest(items=[heavy] * 100, partial=True)
    answer = await service.call(service.render.RenderBatch, request, deadline=30)
    assert {result.failure.reason for result in answer.results} == {"render_timeout", "no_turn"}
    (result,) = await service.batch((version_id, b'{"name":"Ada"}'), deadline=30)
    assert result.content.text == "Hi Ada"


async def test_a_large_version_with_its_parts(service: Service, store: PostgresTemplates, broker: Client) -> None:
    """Up to the limit it is stored, published and rendered; past it, refused."""
    await part(service, PARTIAL, "big", "{{!" + "x" * 250 * 1024 + "}}")
    await part(service, LAYOUT, "base", "{{!" + "y" * 250 * 1024 + "}}{{{content}}}")
    body = "{{> big}}Hi {{name}}{{!" + "z" * 250 * 1024 + "}}"
    version = await service.create(EMAIL, body, layout="base")
    assert await text(service, version.id) == "Hi Ada"
    assert (await CachedTemplateSources(store, broker)._published([version.id]))[version.id].size > 750 * 1024
    await part(service, PARTIAL, "more", "{{!" + "x" * 60 * 1024 + "}}")
    new = templates_pb2.CreateTemplateRequest(
        tenant_id="t1", event_type="e", channel=EMAIL, body=body + "{{> more}}", layout="base"
    )
    assert [field for field, _ in (await refusal(service, service.templates.CreateTemplate, new)).fields] == ["body"]


async def test_an_item_without_a_turn_is_put_off_by_its_asker() -> None:
    """Senders and realtime hear OVERLOADED for that one, and the contents of its neighbours."""
    address = f"127.0.0.1:{free_port()}"
    server = GrpcServer(address, token=TOKEN)
    server.add(render_pb2_grpc.add_RenderServiceServicer_to_server, _Busy(), RENDER_SERVICE)
    await server.start()
    async with channel(address) as connection:
        renderer = RenderClient(connection, Caller(TOKEN))
        asked = [event_pb2.Delivery(template_version_id=name) for name in ("done", "late", "done")]
        results = await asyncio.gather(*map(renderer.render, asked), return_exceptions=True)
    await server.stop(0)
    assert [getattr(result, "code", None) for result in results] == [None, Code.OVERLOADED, None]


class _Busy(render_pb2_grpc.RenderServiceServicer):
    """Has time for what is called "done" only."""

    async def Preview(self, request: render_pb2.PreviewRequest, context: Any) -> render_pb2.PreviewResponse:  # noqa: N802 - gRPC's
        """Nobody asks."""
        raise AssertionError("nobody asks for a preview")

    async def RenderBatch(self, request: render_pb2.RenderBatchRequest, context: Any) -> render_pb2.RenderBatchResponse:  # noqa: N802 - gRPC's
        """Answer each item by its name."""
        assert request.partial
        done = render_pb2.RenderResult(content=render_pb2.Content(text="x"))
        late = render_pb2.RenderResult(failure=render_pb2.RenderFailure(reason="no_turn"))
        results = [done if item.template_version_id == "done" else late for item in request.items]
        return render_pb2.RenderBatchResponse(results=results)
