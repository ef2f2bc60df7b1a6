"""AlertService: wire to store and teller."""

from dataclasses import replace
from typing import Any

from clarion.senders.v1 import alerts_pb2, alerts_pb2_grpc
from runtime import logs
from runtime.ids import new_id
from services.domain.addresses import InvalidAddress, parse_email
from services.domain.checks import check_id, invalid, tenants_of
from services.domain.paging import page_limit
from services.senders.alerts.outages import KINDS_OF_TENANTS, AlertSettings, Kind, Outage
from services.senders.alerts.store import OutageStore
from services.senders.alerts.telling import Teller

NAME = "clarion.senders.v1.AlertService"

MAX_RECIPIENTS = 20
_MAX_RECIPIENT = 255

log = logs.get(__name__)


class AlertServicer(alerts_pb2_grpc.AlertServiceServicer):
    """See proto/clarion/senders/v1/alerts.proto."""

    def __init__(self, store: OutageStore, teller: Teller) -> None:
        self._store = store
        self._teller = teller

    async def GetAlertSettings(
        self, request: alerts_pb2.GetAlertSettingsRequest, context: Any
    ) -> alerts_pb2.GetAlertSettingsResponse:
        """Return where alerts go."""
        check_id("tenant_id", request.tenant_id, required=False)
        return alerts_pb2.GetAlertSettingsResponse(settings=_shown(await self._settings(request.tenant_id)))

    async def SetAlertSettings(
        self, request: alerts_pb2.SetAlertSettingsRequest, context: Any
    ) -> alerts_pb2.SetAlertSettingsResponse:
        """Replace where alerts go."""
        check_id("tenant_id", request.tenant_id, required=False)
        if request.tenant_id:
            own = _checked(request.settings, KINDS_OF_TENANTS)
            settings = replace(own, tenant_id=request.tenant_id, endpoints=request.settings.endpoints)
            await self._store.set_settings_of(request.tenant_id, settings)
        else:
            settings = _checked(request.settings, frozenset(Kind))
            await self._store.set_settings(settings)
        log.info("alert_settings_changed", tenant_id=settings.tenant_id, recipients=len(settings.recipients))
        return alerts_pb2.SetAlertSettingsResponse(settings=_shown(settings))

    async def TestAlert(self, request: alerts_pb2.TestAlertRequest, context: Any) -> alerts_pb2.TestAlertResponse:
        """Send an alert that is no real one."""
        check_id("tenant_id", request.tenant_id, required=False)
        settings = await self._settings(request.tenant_id)
        return alerts_pb2.TestAlertResponse(event_ids=await self._teller.test(settings, new_id()))

    async def _settings(self, tenant_id: str) -> AlertSettings:
        """Return the settings of a tenant, else of the installation."""
        if not tenant_id:
            return await self._store.settings()
        nobody = AlertSettings(tenant_id, endpoints=False)
        return (await self._store.settings_of([tenant_id])).get(tenant_id, nobody)

    async def ListOutages(self, request: alerts_pb2.ListOutagesRequest, context: Any) -> alerts_pb2.ListOutagesResponse:
        """Return a page of outages."""
        limit = page_limit(request.limit)
        check_id("cursor", request.cursor, required=False)
        tenant_ids = tenants_of(request.tenant_id, request.tenant_ids)
        found = await self._store.page(tenant_ids, is_open=request.open, before=request.cursor or None, limit=limit)
        return alerts_pb2.ListOutagesResponse(
            outages=map(_outage, found), next_cursor=found[-1].id if len(found) == limit else ""
        )


def _checked(wire: alerts_pb2.AlertSettings, known: frozenset[Kind]) -> AlertSettings:
    check_id("tenant_id", wire.tenant_id, required=False)
    recipients = tuple(dict.fromkeys(one.strip() for one in wire.recipients))
    if len(recipients) > MAX_RECIPIENTS:
        raise invalid("recipients", f"must be at most {MAX_RECIPIENTS}")
    for place, one in enumerate(recipients):
        _check_recipient(f"recipients[{place}]", one)
    if not {int(kind) for kind in wire.kinds} <= {int(kind) for kind in known}:
        raise invalid("kinds", f"must be of {', '.join(sorted(kind.name.lower() for kind in known))}")
    return AlertSettings(wire.tenant_id, recipients, tuple(sorted(set(wire.kinds))))


def _check_recipient(field: str, recipient: str) -> None:
    if not 1 <= len(recipient) <= _MAX_RECIPIENT or not recipient.isprintable():
        raise invalid(field, f"must be 1 to {_MAX_RECIPIENT} printable characters")
    if "@" in recipient:
        try:
            parse_email(recipient)
        except InvalidAddress as error:
            raise invalid(field, "must be an e-mail address, or the id of a stored recipient") from error


def _shown(settings: AlertSettings) -> alerts_pb2.AlertSettings:
    return alerts_pb2.AlertSettings(
        tenant_id=settings.tenant_id,
        recipients=settings.recipients,
        kinds=map(_kind, settings.kinds),
        endpoints=settings.endpoints,
    )


def _kind(number: int) -> "alerts_pb2.OutageKind.ValueType":
    return alerts_pb2.OutageKind.ValueType(number)


def _outage(outage: Outage) -> alerts_pb2.Outage:
    return alerts_pb2.Outage(
        id=outage.id,
        kind=_kind(outage.kind),
        tenant_id=outage.tenant_id,
        object_id=outage.object_id,
        channel=outage.channel,  # type: ignore[arg-type]
        name=outage.name,
        reason=outage.reason,
        detail=outage.detail,
        began_at_us=outage.began_us,
        ended_at_us=outage.ended_us,
    )
