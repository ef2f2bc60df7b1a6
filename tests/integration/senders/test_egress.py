"""A whole senders process whose providers point where nothing may be connected to."""

import signal
from typing import Any

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from runtime.errors import ClarionError, Code
from tests.integration.egress.watch import watching
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.senders.processes import Senders
from tests.unit.senders import builders
from tests.waiting import eventually

_MAIL: dict[str, Any] = {"tls": "none", "from_email": "noreply@relay.example"}


async def _last(senders: Senders, delivery: event_pb2.Delivery) -> trace_pb2.Attempted | None:
    records = [one for one in await senders.attempts() if one.delivery_id == delivery.id]
    return records[-1] if records else None


async def test_what_was_allowed_once_fails_once_it_is_not(senders: Senders) -> None:
    """At once and for good, with a reason. The log names the address for the operator. Other providers go on."""
    catcher = Catcher()
    async with watching() as watch, serving(catcher) as port:
        inside = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", host="127.0.0.1", port=watch.port, **_MAIL)
        named = await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", host="localhost", port=watch.port, **_MAIL)
        await senders.stop(signal.SIGTERM)
        senders.variables["CLARION_EGRESS_ALLOW"] = f"127.0.0.1:{port}"
        await senders.start()
        for host in ("127.0.0.1", "127.1", "::ffff:127.0.0.1"):
            with pytest.raises(ClarionError) as caught:
                await senders.provider(event_pb2.CHANNEL_EMAIL, "smtp", host=host, port=watch.port, **_MAIL)
            assert caught.value.code is Code.INVALID
            assert [field for field, _ in caught.value.fields] == ["settings.host"]
        alone = await senders.tenant("0197f1a2-0000-7000-8000-000000000009")
        only = builders.delivery(provider_id=inside)
        other = builders.delivery(provider_id=named)
        await senders.deliver(only, other)

        async def both() -> list[Any] | None:
            found = [await _last(senders, one) for one in (only, other)]
            return found if all(found) else None

        records = await eventually(both)
        assert records is not None
        for record in records:
            assert (record.status, record.reason) == (trace_pb2.DELIVERY_STATUS_FAILED, "address_not_allowed")
            assert (record.attempt, record.next_attempt_at_us) == (1, 0)
            assert "CLARION_EGRESS_ALLOW" in record.detail
        good = await senders.provider(
            event_pb2.CHANNEL_EMAIL, "smtp", tenant_id=alone, host="127.0.0.1", port=port, **_MAIL
        )
        sent = builders.delivery(provider_id=good, tenant_id=alone)
        await senders.deliver(sent)
        await eventually(lambda: len(catcher.envelopes) == 1)
        assert watch.accepted == []
    log = senders.log.read_text()
    assert '"egress_refused"' in log
    assert "provider_paused" not in log
