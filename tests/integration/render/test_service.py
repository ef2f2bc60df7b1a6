"""The two services over real gRPC, on PostgreSQL, NATS and a worker."""

from typing import Any

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2, templates_pb2
from runtime.bucket_keys import BUCKET
from runtime.errors import ClarionError, Code
from services.domain import topology
from services.render import configuration_sources, platform_templates
from services.render.store import PostgresTemplates
from tests.conftest import PostgresServer
from tests.integration.render.conftest import Service

EMAIL, SMS, PUSH = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH
MAIL = """<mjml>
  <mj-body>
    <mj-section><mj-column><mj-text>Hi {{name}}</mj-text></mj-column></mj-section>
  </mj-body>
</mjml>"""


async def published(broker: Client, tenant_id: str, event_type: str) -> list[dict[str, str]]:
    """What the router's watch would see."""
    bucket = await broker.jetstream().key_value(BUCKET)
    entry = await bucket.get(topology.templates_key(tenant_id, event_type))
    return msgspec.json.decode(entry.value or b"", type=list[dict[str, str]])


async def activate(service: Service, version_id: str) -> templates_pb2.TemplateVersion:
    """Activate a version."""
    request = templates_pb2.ActivateTemplateRequest(template_version_id=version_id)
    answer: templates_pb2.ActivateTemplateResponse = await service.call(service.templates.ActivateTemplate, request)
    return answer.template


async def resolve(service: Service, tenant_id: str, event_type: str) -> dict[int, str]:
    """The active versions by channel."""
    request = templates_pb2.ResolveTemplatesRequest(tenant_id=tenant_id, event_type=event_type)
    answer = await service.call(service.templates.ResolveTemplates, request)
    return {one.channel: one.template_version_id for one in answer.templates}


async def test_renders_every_channel(service: Service) -> None:
    """E-mail is MJML with a text part, SMS is text, push has title and body."""
    mail = await service.create(EMAIL, MAIL, subject="Order of {{name}}")
    sms = await service.create(SMS, "Hi {{name}} {{city}}")
    push = await service.create(PUSH, "For {{name}}", subject="<{{name}}>", push_namespace="orders")
    data = b'{"name":"Tom & Ada"}'
    results = await service.batch((mail.id, data), (sms.id, data, b'{"name":"x","city":"Oslo"}'), (push.id, data))
    contents = [result.content for result in results]
    assert contents[0].subject == "Order of Tom & Ada"
    assert "Hi Tom &amp; Ada" in contents[0].html
    assert contents[0].text == "Hi Tom & Ada"
    assert contents[1] == render_pb2.Content(text="Hi Tom & Ada Oslo", sms_segments=1, sms_encoding="GSM-7")
    assert contents[2] == render_pb2.Content(title="<Tom & Ada>", body="For Tom & Ada")


async def test_faults_are_results(service: Service) -> None:
    """Unknown versions and broken data fail alone."""
    sms = await service.create(SMS, "Hi {{name}}")
    results = await service.batch((sms.id, b"[]"), ("unknown", b"{}"), (sms.id, b'{"name":"Ada"}'), (sms.id, b"{"))
    assert [result.failure.reason for result in results] == [
        "template_error",
        "template_not_found",
        "",
        "template_error",
    ]
    assert results[2].content.text == "Hi Ada"


async def test_too_many_items(service: Service) -> None:
    """More than 256 items are refused."""
    with pytest.raises(ClarionError) as refused:
        await service.batch(*[("x", b"{}")] * 257)
    assert refused.value.code is Code.INVALID


async def test_preview(service: Service) -> None:
    """A body that is not saved renders as it would when saved; a broken one is a failure with its place."""
    request = render_pb2.PreviewRequest(channel=EMAIL, subject="{{a}}", body=MAIL, variables=b'{"a":"S","name":"Ada"}')
    answer = await service.call(service.render.Preview, request)
    assert (answer.content.subject, answer.content.text) == ("S", "Hi Ada")
    broken = render_pb2.PreviewRequest(channel=SMS, body="one\n{{#if a}}")
    answer = await service.call(service.render.Preview, broken)
    assert answer.failure.reason == "template_error"
    assert "line 2" in answer.failure.detail


async def test_a_preview_is_refused_as_saving_would_be(service: Service) -> None:
    """What only data may break is the template's fault where the template breaks it."""
    broken = render_pb2.PreviewRequest(channel=EMAIL, body=MAIL.replace("</mj-text>", "</b></mj-text>"))
    answer = await service.call(service.render.Preview, broken)
    assert answer.failure.reason == "template_error"
    assert [(fault.field, fault.line) for fault in answer.failure.faults] == [("body", 3)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("We <3 you", "We <3 you"),
        ("<b>" * 20_000, ""),
        ("</mj-text></mjml>", ""),
        ("</div></td></tr></table>x", "x"),
        ("<mj-include path='/etc/passwd' type='html'/>", ""),
    ],
)
async def test_no_value_fails_a_mail(service: Service, value: str, text: str) -> None:
    """Whatever stands in an ending tag, in a real worker."""
    mail = await service.create(EMAIL, MAIL.replace("{{name}}", "{{{name}}}"), subject="s")
    (result,) = await service.batch((mail.id, msgspec.json.encode({"name": value})))
    assert not result.failure.reason
    assert result.content.text == f"Hi {text}".strip()


async def test_styles_are_inlined_in_a_worker(service: Service) -> None:
    """Within its memory, without files; the same mail twice is the same."""
    styled = MAIL.replace("<mj-body>", '<mj-head><mj-style inline="inline">.a{color:red}</mj-style></mj-head><mj-body>')
    mail = await service.create(EMAIL, styled.replace("{{name}}", "<b class='a'>{{name}}</b>"), subject="s")
    results = await service.batch((mail.id, b'{"name":"Ada"}'), (mail.id, b'{"name":"Ada"}'))
    assert '<b class="a" style="color: red;">Ada</b>' in results[0].content.html
    assert results[0].content == results[1].content


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"body": "one\ntwo {{#if a}}"}, "body", "Line 2, column 5: the block {{#if}} is not closed"),
    ({"body": "x", "subject": "{{a b}}"}, "subject", "Line 1, column 1: 'a' is not a helper"),
    ({"body": "x", "event_type": ""}, "event_type", "1 to 255"),
    ({"body": "x", "event_type": "e" * 256}, "event_type", "1 to 255"),
    ({"body": "x" * (256 * 1024 + 1)}, "body", "256 KiB"),
    ({"body": " "}, "body", "empty"),
    ({"body": "x", "push_namespace": "a#b"}, "push_namespace", "letters"),
    ({"body": "x", "push_namespace": "a" * 65}, "push_namespace", "64"),
    ({"body": "x", "tenant_id": "a.b"}, "tenant_id", "tenant"),
    ({"body": "x", "tenant_id": "platform"}, "tenant_id", "tenant"),
    ({"body": "x", "channel_": 0}, "channel", "EMAIL"),
    ({"channel_": EMAIL, "body": MAIL.replace("</mj-text>", "")}, "body", "Line 3: MJML: <mj-text> is"),
    (
        {"channel_": EMAIL, "body": MAIL.replace("<mj-text>", "<mj-text a=b>")},
        "body",
        "Line 3: MJML: the attributes",
    ),
    (
        {"channel_": EMAIL, "body": MAIL.replace("{{name}}", "<mj-include path='/etc/passwd' />")},
        "body",
        "mj-include",
    ),
]


async def test_create_refuses(service: Service) -> None:
    """What cannot be used is refused, with the field and the place."""
    for fields, field, says in REFUSED:
        with pytest.raises(ClarionError) as refused:
            await service.create(**{"channel_": PUSH, **fields})
        assert refused.value.code is Code.INVALID
        assert [name for name, _ in refused.value.fields] == [field]
        assert says in refused.value.fields[0][1]


async def test_versions(service: Service, broker: Client) -> None:
    """Versions count up; one is active; activating another takes its place, everywhere."""
    first = await service.create(SMS, "one")
    second = await service.create(SMS, "two", push_namespace="")
    push = await service.create(PUSH, "push", push_namespace="orders")
    assert [(first.version, first.active), (second.version, second.active), push.version] == [(1, False), (2, False), 1]
    assert await resolve(service, "t1", "order.confirmed") == {}

    assert (await activate(service, first.id)).active
    await activate(service, second.id)
    await activate(service, push.id)
    assert await resolve(service, "t1", "order.confirmed") == {SMS: second.id, PUSH: push.id}
    assert await published(broker, "t1", "order.confirmed") == [
        {"channel": "SMS", "template_version_id": second.id, "push_namespace": "", "locale": ""},
        {"channel": "PUSH", "template_version_id": push.id, "push_namespace": "orders", "locale": ""},
    ]

    request = templates_pb2.DeactivateTemplateRequest(template_version_id=second.id)
    assert not (await service.call(service.templates.DeactivateTemplate, request)).template.active
    assert await resolve(service, "t1", "order.confirmed") == {PUSH: push.id}
    assert [one["channel"] for one in await published(broker, "t1", "order.confirmed")] == ["PUSH"]


async def test_a_version_by_its_number(service: Service) -> None:
    """Active or not, of this channel and tenant alone; without a number the active ones."""
    first = await service.create(SMS, "one")
    second = await service.create(SMS, "two")
    await activate(service, second.id)

    async def numbered(version: int, **other: Any) -> list[str]:
        given = {"tenant_id": "t1", "event_type": "order.confirmed", "channel": SMS, **other}
        request = templates_pb2.ResolveTemplatesRequest(version=version, **given)
        answer = await service.call(service.templates.ResolveTemplates, request)
        return [one.template_version_id for one in answer.templates]

    assert [await numbered(number) for number in (0, 1, 2, 3)] == [[second.id], [first.id], [second.id], []]
    for other in ({"channel": PUSH}, {"tenant_id": "t2"}, {"event_type": "order.sent"}):
        assert await numbered(1, **other) == []


async def test_get_and_list(service: Service) -> None:
    """Versions come newest first, page by page."""
    made = [(await service.create(SMS, f"body {number}")).id for number in range(5)]
    await service.create(SMS, "another's", tenant_id="t2")
    shown = await service.call(
        service.templates.GetTemplate, templates_pb2.GetTemplateRequest(template_version_id=made[1])
    )
    assert (shown.template.body, shown.template.version) == ("body 1", 2)

    seen: list[str] = []
    cursor = ""
    while True:
        request = templates_pb2.ListTemplatesRequest(tenant_id="t1", limit=2, cursor=cursor)
        page = await service.call(service.templates.ListTemplates, request)
        seen.extend(one.id for one in page.templates)
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == made[::-1]

    await activate(service, made[3])
    request = templates_pb2.ListTemplatesRequest(event_type="order.confirmed", active_only=True)
    page = await service.call(service.templates.ListTemplates, request)
    assert [one.id for one in page.templates] == [made[3]]


async def test_unknown_version(service: Service) -> None:
    """An id of nothing is NOT_FOUND."""
    for method in ("GetTemplate", "ActivateTemplate", "DeactivateTemplate"):
        request = getattr(templates_pb2, f"{method}Request")(template_version_id="nothing")
        with pytest.raises(ClarionError) as refused:
            await service.call(getattr(service.templates, method), request)
        assert refused.value.code is Code.NOT_FOUND


async def test_global_types_fall_back_per_channel(service: Service, store: PostgresTemplates) -> None:
    """A tenant's own template of a global type replaces the platform's on its channel only."""
    await platform_templates.ensure(store)
    platform = await resolve(service, "t1", "global.info")
    assert set(platform) == {EMAIL, SMS, PUSH}
    own = await service.create(SMS, "mine", event_type="global.info")
    await activate(service, own.id)
    assert await resolve(service, "t1", "global.info") == {**platform, SMS: own.id}
    assert await resolve(service, "t2", "global.info") == platform
    assert await resolve(service, "t1", "global.unknown") == {}


async def test_the_platforms_templates_of_other_types_are_not_published(
    service: Service, broker: Client, database: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """The router uses all that are published, so a platform template of a tenant's own type must not be."""
    for event_type in ("global.info", "order.confirmed"):
        made = await service.create(SMS, "the platform's", tenant_id="", event_type=event_type)
        await activate(service, made.id)
    kept, other = (topology.templates_key("", event_type) for event_type in ("global.info", "order.confirmed"))
    bucket = await broker.jetstream().key_value(BUCKET)
    assert [key for key in await bucket.keys() if key.startswith("templates.")] == [kept]
    templates, *_ = configuration_sources.SOURCES
    reader: Any = database
    assert await templates.keys(reader, "", 10) == [kept]
    assert list(await templates.read(reader, [kept, other])) == [kept]


async def test_platform_templates_render(service: Service, store: PostgresTemplates) -> None:
    """All fifteen render title and message."""
    await platform_templates.ensure(store)
    page = await service.call(service.templates.ListTemplates, templates_pb2.ListTemplatesRequest(limit=100))
    assert len(page.templates) == 15
    data = b'{"title":"Loan <approved>","message":"Come & get it"}'
    results = await service.batch(*[(template.id, data) for template in page.templates])
    for template, result in zip(page.templates, results, strict=True):
        assert not result.failure.reason
        content = result.content
        if template.channel == EMAIL:
            assert content.subject == "Loan <approved>"
            assert "Loan &lt;approved&gt;" in content.html
            assert "Come & get it" in content.text
        elif template.channel == SMS:
            assert content.text == "Loan <approved>: Come & get it"
        else:
            assert (content.title, content.body) == ("Loan <approved>", "Come & get it")


async def test_renders_without_postgres(service: Service, postgres_server: PostgresServer) -> None:
    """A version nobody has in memory comes from the bucket while PostgreSQL is away."""
    sms = await service.create(SMS, "Hi {{name}}")
    postgres_server.kill()
    try:
        (result,) = await service.batch((sms.id, b'{"name":"Ada"}'))
        assert result.content.text == "Hi Ada"
        with pytest.raises(ClarionError) as refused:
            await service.batch(("unknown", b"{}"))
        assert refused.value.code is Code.UNAVAILABLE
        with pytest.raises(ClarionError) as refused:
            await resolve(service, "t1", "order.confirmed")
        assert refused.value.code is Code.UNAVAILABLE
    finally:
        postgres_server.start()
