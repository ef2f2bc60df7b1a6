"""The built-in templates of the five global event types, for every tenant and channel."""

import asyncpg

from clarion.common.v1 import event_pb2
from clarion.render.v1 import templates_pb2
from runtime import logs, postgres
from services.render.store import TemplateStore

# Accent colour of the e-mail.
_ACCENTS = {"info": "#2563eb", "success": "#15803d", "warning": "#b45309", "alert": "#c2410c", "error": "#b91c1c"}

_EMAIL = """\
<mjml>
  <mj-head>
    <mj-preview>{{message}}</mj-preview>
    <mj-attributes><mj-all font-family="Helvetica, Arial, sans-serif" /></mj-attributes>
  </mj-head>
  <mj-body background-color="#f4f4f5">
    <mj-section background-color="ACCENT" padding="4px"></mj-section>
    <mj-section background-color="#ffffff" padding="24px">
      <mj-column>
        <mj-text font-size="20px" font-weight="bold" color="#18181b">{{title}}</mj-text>
        <mj-text font-size="15px" line-height="24px" color="#3f3f46">{{message}}</mj-text>
      </mj-column>
    </mj-section>
  </mj-body>
</mjml>
"""

log = logs.get(__name__)


async def install(store: TemplateStore) -> None:
    """Add those that are missing; several processes may do so at once."""
    try:
        for kind in _ACCENTS:
            for request in _requests(kind):
                if await store.create_first(request):
                    log.info("platform_template_added", event_type=request.event_type, channel=request.channel)
    except (*postgres.CONNECTION_ERRORS, asyncpg.PostgresError) as error:
        # They are there since an earlier start, or come with the next one.
        log.warning("platform_templates_unchecked", error=repr(error))


def _requests(kind: str) -> list[templates_pb2.CreateTemplateRequest]:
    event_type = f"global.{kind}"
    return [
        templates_pb2.CreateTemplateRequest(
            event_type=event_type,
            channel=event_pb2.CHANNEL_EMAIL,
            subject="{{title}}",
            body=_EMAIL.replace("ACCENT", _ACCENTS[kind]),
        ),
        templates_pb2.CreateTemplateRequest(
            event_type=event_type, channel=event_pb2.CHANNEL_SMS, body="{{title}}: {{message}}"
        ),
        templates_pb2.CreateTemplateRequest(
            event_type=event_type, channel=event_pb2.CHANNEL_PUSH, subject="{{title}}", body="{{message}}"
        ),
    ]
