"""Templates that a caller brings along, over real gRPC and in a real worker."""

from collections.abc import Sequence

import pytest

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.errors import ClarionError, Code
from services.render import process
from tests.integration.render.conftest import Service

EMAIL, SMS = event_pb2.CHANNEL_EMAIL, event_pb2.CHANNEL_SMS
_ADA = event_pb2.Recipient(user_id="ada", email="ada@example.org", name="Ada Lovelace", data=b'{"plan":"gold"}')


async def _batch(
    service: Service, templates: Sequence[render_pb2.UnsavedTemplate], items: Sequence[render_pb2.RenderItem]
) -> list[render_pb2.RenderResult]:
    request = render_pb2.RenderBatchRequest(items=items, templates=templates, partial=True)
    return list((await service.call(service.render.RenderBatch, request)).results)


def _item(place: int = 0, version_id: str = "", variables: bytes = b"{}") -> render_pb2.RenderItem:
    return render_pb2.RenderItem(
        unsaved_template=place, template_version_id=version_id, variables=variables, contact=_ADA
    )


async def test_unsaved_and_stored_templates_in_one_batch(service: Service) -> None:
    """Each item gets its own; both know the contact; a faulty one fails alone."""
    stored = await service.create(SMS, "Stored {{contact_plan}}")
    mail = render_pb2.UnsavedTemplate(
        channel=EMAIL, subject="For {{contact_first_name}}", body="<p>{{x}}</p>", text="{{x}} in text"
    )
    text = render_pb2.UnsavedTemplate(channel=SMS, body="Hi {{contact_name}}, {{x}}")
    faulty = render_pb2.UnsavedTemplate(channel=SMS, body="{{#if}}")
    results = await _batch(
        service,
        [mail, text, faulty],
        [_item(1, variables=b'{"x":"<1>"}'), _item(2, variables=b'{"x":"2"}'), _item(0, stored.id), _item(3)],
    )
    assert (results[0].content.subject, results[0].content.html, results[0].content.text) == (
        "For Ada",
        "<p>&lt;1&gt;</p>",
        "<1> in text",
    )
    assert [results[1].content.text, results[2].content.text] == ["Hi Ada Lovelace, 2", "Stored gold"]
    assert results[3].failure.reason == "template_error"


async def test_mjml_that_is_brought_along(service: Service) -> None:
    """It is converted as a stored one is."""
    body = "<mjml><mj-body><mj-section><mj-column><mj-text>Hi {{contact_name}}</mj-text></mj-column></mj-section>"
    template = render_pb2.UnsavedTemplate(channel=EMAIL, body=f"{body}</mj-body></mjml>")
    (result,) = await _batch(service, [template], [_item(1)])
    assert "<mj-" not in result.content.html
    assert result.content.text == "Hi Ada Lovelace"


async def test_a_template_that_is_not_there(service: Service) -> None:
    """The caller is told, and nothing is rendered with another one."""
    template = render_pb2.UnsavedTemplate(channel=SMS, body="Hi")
    for place in (2, -1):
        with pytest.raises(ClarionError) as refused:
            await _batch(service, [template], [_item(place)])
        assert (refused.value.code, refused.value.fields[0][0]) == (Code.INVALID, "unsaved_template")
    with pytest.raises(ClarionError):
        await _batch(service, [template] * 257, [_item(1)])


async def test_more_templates_than_a_worker_is_taken_to_know(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of a worker is bounded, and it is given a template again."""
    monkeypatch.setattr(process, "_MAX_KNOWN", 3)
    templates = [render_pb2.UnsavedTemplate(channel=SMS, body=f"{number}: {{{{x}}}}") for number in range(10)]
    for _ in range(2):
        results = await _batch(service, templates, [_item(place, variables=b'{"x":"y"}') for place in range(1, 11)])
        assert [result.content.text for result in results] == [f"{number}: y" for number in range(10)]
    assert all(len(worker.known) <= 3 for worker in service.pool._workers.values())
