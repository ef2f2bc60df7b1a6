"""Waits until the services answer, then creates the demo tenant with its providers, templates and a workflow.

Run by the supervisor as `python -m stack.seed`, so that the supervisor itself stays small. Doing it
again changes nothing; a moved mail server is followed.
"""

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import tenants_pb2, tenants_pb2_grpc
from clarion.render.v1 import templates_pb2, templates_pb2_grpc
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime import logs
from runtime.errors import ClarionError, Code
from runtime.grpc import Caller, channel, is_serving
from runtime.settings import Secret, load_or_exit
from stack import seed_team
from stack.folder import Demo, write_private

EVENT_TYPE = "order.confirmed"
NAMESPACE = "orders"
_TEMPLATES = Path(__file__).parent / "demo"
_DEADLINE_S = 5.0


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>."""

    service_token: Secret
    ingest_address: str
    router_address: str
    render_address: str
    senders_address: str
    realtime_address: str
    smtp_address: str
    demo_user_id: str
    # The file for the tenant's id and key.
    demo_file: str
    # How long to wait for the services, in seconds.
    start_deadline_s: float = 60.0


class Seeder:
    """Creates the parts that are missing."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._call = Caller(settings.service_token.reveal())
        self._file = Path(settings.demo_file)

    async def run(self) -> None:
        """Create the tenant, then its providers, then its templates."""
        async with channel(self._settings.ingest_address) as ingest:
            tenant_id = await self._tenant(tenants_pb2_grpc.TenantServiceStub(ingest))
            async with channel(self._settings.router_address) as router:
                demo = msgspec.json.decode(self._file.read_bytes(), type=Demo)
                demo = await seed_team.create(self._do, ingest, router, demo)
                write_private(self._file, msgspec.json.encode(demo))
        async with channel(self._settings.senders_address) as senders:
            await self._providers(senders_pb2_grpc.ProviderServiceStub(senders), tenant_id)
        async with channel(self._settings.render_address) as render:
            await self._templates(templates_pb2_grpc.TemplateServiceStub(render), tenant_id)

    async def _tenant(self, tenants: "tenants_pb2_grpc.TenantServiceAsyncStub") -> str:
        if self._file.exists():
            demo = msgspec.json.decode(self._file.read_bytes(), type=Demo)
            try:
                await self._do(tenants.GetTenant, tenants_pb2.GetTenantRequest(tenant_id=demo.tenant_id))
            except ClarionError as error:
                if error.code is not Code.NOT_FOUND:
                    raise
            else:
                return demo.tenant_id
        request = tenants_pb2.CreateTenantRequest(
            name="Acorn Shop",
            sender_name="Acorn Shop",
            sender_email="orders@acorn.example",
            reply_to="help@acorn.example",
        )
        answer: tenants_pb2.CreateTenantResponse = await self._do(tenants.CreateTenant, request)
        demo = Demo(answer.tenant.id, answer.api_key, self._settings.demo_user_id)
        write_private(self._file, msgspec.json.encode(demo))
        return demo.tenant_id

    async def _providers(self, providers: "senders_pb2_grpc.ProviderServiceAsyncStub", tenant_id: str) -> None:
        host, _, port = self._settings.smtp_address.rpartition(":")
        smtp = {"host": host, "port": int(port), "tls": "none", "from_email": "clarion@acorn.example"}
        answer = await self._do(providers.ListProviders, senders_pb2.ListProvidersRequest(tenant_id=tenant_id))
        await self._provider(providers, tenant_id, answer.providers, event_pb2.CHANNEL_EMAIL, "smtp", smtp)
        await self._provider(providers, tenant_id, answer.providers, event_pb2.CHANNEL_SMS, "sandbox", {})

    async def _provider(
        self,
        providers: "senders_pb2_grpc.ProviderServiceAsyncStub",
        tenant_id: str,
        present: Iterable[senders_pb2.Provider],
        of: "event_pb2.Channel.ValueType",
        kind: str,
        settings: dict[str, Any],
    ) -> None:
        ours = [provider for provider in present if provider.channel == of and provider.name == "Local stack"]
        for provider in ours:
            if settings.items() <= msgspec.json.decode(provider.settings_json or "{}").items():
                return
        await self._do(
            providers.CreateProvider,
            senders_pb2.CreateProviderRequest(
                tenant_id=tenant_id,
                channel=of,
                kind=kind,
                name="Local stack",
                priority=100,
                settings_json=msgspec.json.encode(settings).decode(),
            ),
        )
        for provider in ours:  # it used a port of an earlier start
            await self._do(providers.DeleteProvider, senders_pb2.DeleteProviderRequest(provider_id=provider.id))

    async def _templates(self, templates: "templates_pb2_grpc.TemplateServiceAsyncStub", tenant_id: str) -> None:
        wanted = (
            (EVENT_TYPE, event_pb2.CHANNEL_EMAIL, "Order {{orderId}} is confirmed", "order_confirmed.mjml", ""),
            (EVENT_TYPE, event_pb2.CHANNEL_SMS, "", "order_confirmed.sms.txt", ""),
            (EVENT_TYPE, event_pb2.CHANNEL_PUSH, "Order {{orderId}} confirmed", "order_confirmed.push.txt", NAMESPACE),
            (seed_team.TEMPLATE, event_pb2.CHANNEL_EMAIL, "Welcome, {{contact_first_name}}", "welcome.mjml", ""),
        )
        present = set()
        for name in dict.fromkeys(name for name, *_ in wanted):
            request = templates_pb2.ListTemplatesRequest(
                tenant_id=tenant_id, event_type=name, active_only=True, limit=100
            )
            answer = await self._do(templates.ListTemplates, request)
            present |= {(name, template.channel) for template in answer.templates}
        for name, of, subject, file, namespace in wanted:
            if (name, of) in present:
                continue
            made: templates_pb2.CreateTemplateResponse = await self._do(
                templates.CreateTemplate,
                templates_pb2.CreateTemplateRequest(
                    tenant_id=tenant_id,
                    event_type=name,
                    channel=of,
                    subject=subject,
                    body=(_TEMPLATES / file).read_text(encoding="utf-8").strip(),
                    push_namespace=namespace,
                ),
            )
            activation = templates_pb2.ActivateTemplateRequest(template_version_id=made.template.id)
            await self._do(templates.ActivateTemplate, activation)

    async def _do(self, method: Any, request: Any) -> Any:
        return await self._call(method, request, deadline=_DEADLINE_S)


async def wait_until_serving(addresses: Iterable[str], deadline: float) -> list[str]:
    """Wait until every gRPC server is SERVING. Return those that are not after deadline seconds."""
    until = time.monotonic() + deadline

    async def wait(address: str) -> bool:
        while not await is_serving(address):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.1)
        return True

    servers = list(addresses)
    answers = await asyncio.gather(*(wait(address) for address in servers))
    return [address for address, serving in zip(servers, answers, strict=True) if not serving]


async def _main(settings: Settings) -> int:
    groups = {
        "ingest": settings.ingest_address,
        "router": settings.router_address,
        "render": settings.render_address,
        "senders": settings.senders_address,
        "realtime": settings.realtime_address,
    }
    names = {address: name for name, group in groups.items() for address in group.split(",")}
    missing = await wait_until_serving(names, settings.start_deadline_s)
    if missing:
        late = ", ".join(f"{names[address]} ({address})" for address in missing)
        print(f"not healthy within {settings.start_deadline_s:.0f} s: {late}", file=sys.stderr)
        return 1
    try:
        await Seeder(settings).run()
    except ClarionError as error:
        where = "".join(f"; {field}: {text}" for field, text in error.fields)
        print(f"the demo tenant cannot be made: {error.detail}{where}", file=sys.stderr)
        return 1
    return 0


def main() -> None:
    """Read the environment and create the demo tenant."""
    settings = load_or_exit(Settings)
    logs.configure("seed", "warning")
    raise SystemExit(asyncio.run(_main(settings)))


if __name__ == "__main__":
    main()
