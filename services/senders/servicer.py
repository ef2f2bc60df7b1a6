"""ProviderService and OutboxService: between protobuf and the domain, no logic."""

from collections.abc import Sequence
from typing import Any, ClassVar

import grpc.aio
import msgspec

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.egress import EgressGuard
from runtime.errors import ClarionError, Code
from runtime.ids import is_uuid
from services.domain.paging import page_limit
from services.domain.searching import check_search
from services.senders import providers, registry
from services.senders.channels.email import parse
from services.senders.described import SettingDescription, settings_of
from services.senders.outbox import KeptEmail, SandboxOutbox
from services.senders.reports.kinds import REPORT_READERS

PROVIDER_SERVICE = "clarion.senders.v1.ProviderService"
OUTBOX_SERVICE = "clarion.senders.v1.OutboxService"

MAX_MAIL_BYTES = 1024 * 1024
_MAX_RECIPIENTS = 100
# Characters of a text in a list.
_MAX_LISTED = 1000

_SETTING_TYPES = {
    "text": senders_pb2.PROVIDER_SETTING_TYPE_TEXT,
    "number": senders_pb2.PROVIDER_SETTING_TYPE_NUMBER,
    "boolean": senders_pb2.PROVIDER_SETTING_TYPE_BOOLEAN,
    "choice": senders_pb2.PROVIDER_SETTING_TYPE_CHOICE,
}

Context = grpc.aio.ServicerContext[Any, Any]


class ProviderServicer(senders_pb2_grpc.ProviderServiceServicer):
    """See proto/clarion/senders/v1/senders.proto."""

    def __init__(self, store: providers.ProviderRepository, mail_guard: EgressGuard) -> None:
        self._store = store
        self._mail_guard = mail_guard

    async def CreateProvider(
        self, request: senders_pb2.CreateProviderRequest, _: Context
    ) -> senders_pb2.CreateProviderResponse:
        """Create a provider."""
        new = providers.check(
            tenant_id=request.tenant_id,
            channel=request.channel,
            kind=request.kind,
            name=request.name,
            priority=request.priority,
            settings_json=request.settings_json,
        )
        providers.check_address(new, self._mail_guard)
        return senders_pb2.CreateProviderResponse(provider=_provider(await self._store.create(new)))

    async def ListProviders(
        self, request: senders_pb2.ListProvidersRequest, _: Context
    ) -> senders_pb2.ListProvidersResponse:
        """List a tenant's providers, best first."""
        stored = await self._store.of_tenant(request.tenant_id)
        return senders_pb2.ListProvidersResponse(providers=[_provider(one) for one in stored])

    async def GetProvider(self, request: senders_pb2.GetProviderRequest, _: Context) -> senders_pb2.GetProviderResponse:
        """Return a provider."""
        return senders_pb2.GetProviderResponse(provider=_provider(await self._store.get(request.provider_id)))

    async def UpdateProvider(
        self, request: senders_pb2.UpdateProviderRequest, _: Context
    ) -> senders_pb2.UpdateProviderResponse:
        """Change a provider."""

        def change(old: providers.StoredProvider) -> providers.NewProvider:
            new = providers.changed(
                old,
                name=request.name if request.HasField("name") else None,
                priority=request.priority if request.HasField("priority") else None,
                settings_json=request.settings_json,
            )
            if (
                new.settings != old.provider.settings
            ):  # other fields may change even if the server is not allowed any more
                providers.check_address(new, self._mail_guard)
            return new

        stored = await self._store.change(request.provider_id, change)
        return senders_pb2.UpdateProviderResponse(provider=_provider(stored))

    async def RenewSecrets(
        self, _request: senders_pb2.RenewSecretsRequest, _: Context
    ) -> senders_pb2.RenewSecretsResponse:
        """Encrypt all secrets with the first key."""
        renewed, unreadable = await self._store.renew_secrets()
        return senders_pb2.RenewSecretsResponse(renewed=renewed, unreadable_provider_ids=unreadable)

    async def DeleteProvider(
        self, request: senders_pb2.DeleteProviderRequest, _: Context
    ) -> senders_pb2.DeleteProviderResponse:
        """Delete a provider."""
        await self._store.delete(request.provider_id)
        return senders_pb2.DeleteProviderResponse()

    async def ResolveProviders(
        self, request: senders_pb2.ResolveProvidersRequest, _: Context
    ) -> senders_pb2.ResolveProvidersResponse:
        """Return the providers of a tenant's channel, best first."""
        stored = [one.provider for one in await self._store.of_tenant(request.tenant_id)]
        ids = [provider.id for provider in stored if provider.channel == request.channel]
        return senders_pb2.ResolveProvidersResponse(provider_ids=ids)

    async def SearchProviders(
        self, request: senders_pb2.SearchProvidersRequest, _: Context
    ) -> senders_pb2.SearchProvidersResponse:
        """Look for a provider, or for a delivery by a provider's id."""
        return senders_pb2.SearchProvidersResponse(hits=await self._store.search(*check_search(request)))

    async def OrderProviders(
        self, request: senders_pb2.OrderProvidersRequest, _: Context
    ) -> senders_pb2.OrderProvidersResponse:
        """Set the order of a channel's providers."""

        def order(present: Sequence[str]) -> Sequence[str]:
            return providers.reordered(present, request.provider_ids, request.expected_ids)

        stored = await self._store.order(request.tenant_id, request.channel, order)
        return senders_pb2.OrderProvidersResponse(providers=[_provider(one) for one in stored])

    async def ListProviderKinds(
        self, _request: senders_pb2.ListProviderKindsRequest, _: Context
    ) -> senders_pb2.ListProviderKindsResponse:
        """Return the kinds of provider; the first call loads their code."""
        kinds = [_kind(channel, name) for channel in registry.CHANNELS for name in registry.kind_names(channel)]
        return senders_pb2.ListProviderKindsResponse(kinds=kinds)


class OutboxServicer(senders_pb2_grpc.OutboxServiceServicer):
    """See proto/clarion/senders/v1/senders.proto."""

    # A mail and its recipients.
    MAX_BYTES: ClassVar = {"RecordMail": MAX_MAIL_BYTES + 256 * 1024}

    def __init__(self, outbox: SandboxOutbox) -> None:
        self._outbox = outbox

    async def ListMessages(
        self, request: senders_pb2.ListMessagesRequest, _: Context
    ) -> senders_pb2.ListMessagesResponse:
        """List the sandbox, newest first."""
        limit = page_limit(request.limit, largest=_MAX_LISTED)
        if request.event_id and not is_uuid(request.event_id):
            return senders_pb2.ListMessagesResponse()
        messages = await self._outbox.page(
            tenant_id=request.tenant_id,
            event_id=request.event_id,
            channel=request.channel,
            limit=limit,
            cursor=request.cursor,
        )
        next_cursor = messages[-1].id if len(messages) == limit else ""
        return senders_pb2.ListMessagesResponse(messages=messages, next_cursor=next_cursor)

    async def GetMessage(self, request: senders_pb2.GetMessageRequest, _: Context) -> senders_pb2.GetMessageResponse:
        """Return one message with its whole text."""
        return senders_pb2.GetMessageResponse(message=await self._outbox.get(request.message_id))

    async def RecordMail(self, request: senders_pb2.RecordMailRequest, _: Context) -> senders_pb2.RecordMailResponse:
        """Store a mail, one row for each recipient of its envelope."""
        if len(request.raw) > MAX_MAIL_BYTES:
            raise ClarionError(
                Code.INVALID, "The mail is larger than 1 MiB.", fields=[("raw", "must be at most 1 MiB")]
            )
        if len(request.envelope_recipients) > _MAX_RECIPIENTS:
            raise ClarionError(Code.INVALID, f"envelope_recipients must have at most {_MAX_RECIPIENTS} addresses.")
        try:
            mail = parse.parse(request.raw)
        except ValueError as error:
            raise ClarionError(Code.INVALID, f"The mail cannot be parsed: {error}.") from error
        for recipient in list(request.envelope_recipients) or [mail.to]:
            await self._outbox.keep_email(_kept(mail, recipient, request.envelope_sender))
        return senders_pb2.RecordMailResponse()


def _provider(stored: providers.StoredProvider) -> senders_pb2.Provider:
    provider = stored.provider
    return senders_pb2.Provider(
        id=provider.id,
        tenant_id=provider.tenant_id,
        channel=provider.channel,
        kind=provider.kind,
        name=provider.name,
        priority=provider.priority,
        settings_json=stored.settings_json(),
        created_at_us=stored.created_at_us,
        updated_at_us=stored.updated_at_us,
    )


def _kind(channel: event_pb2.Channel.ValueType, name: str) -> senders_pb2.ProviderKind:
    kind = registry.kind(channel, name)
    reports = None
    if kind.reports:
        setting = REPORT_READERS[name].setting
        proof = "signature" if setting else "url"
        reports = senders_pb2.ProviderReports(setup=kind.report_setup, proof=proof, setting=setting)
    return senders_pb2.ProviderKind(
        channel=channel,
        kind=name,
        title=kind.title,
        purpose=kind.purpose,
        setup=kind.setup,
        settings=map(_setting, settings_of(kind)),
        reports=reports,
    )


def _setting(one: SettingDescription) -> senders_pb2.ProviderSetting:
    return senders_pb2.ProviderSetting(
        name=one.name,
        label=one.label,
        help=one.help,
        type=_SETTING_TYPES[one.type],
        required=one.is_required,
        secret=one.is_secret,
        default_json="" if one.is_required else msgspec.json.encode(one.default).decode(),
        choices=one.choices,
        least=one.least,
        most=one.most,
        example=one.example,
        long=one.is_long,
        verifies_reports=one.verifies_reports,
    )


def _kept(mail: parse.ParsedMail, recipient: str, envelope_sender: str) -> KeptEmail:
    return KeptEmail(
        via="smtp",
        tenant_id=mail.tenant_id,
        event_id=mail.event_id or None,
        delivery_id=mail.delivery_id or None,
        trace_id="",
        recipient=recipient,
        sender=mail.sender or envelope_sender,
        reply_to=mail.reply_to,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
    )
