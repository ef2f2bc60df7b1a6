"""The gRPC TemplateService and LocaleService. They translate messages and decide nothing."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from google.protobuf.message import Message

from clarion.common.v1 import event_pb2
from clarion.render.v1 import locales_pb2, locales_pb2_grpc, templates_pb2, templates_pb2_grpc
from runtime import logs
from services.domain import locales
from services.domain.paging import page_limit
from services.domain.searching import check_search
from services.render import vocabulary
from services.render.faults import tenant_faults, violations
from services.render.frames import Fault
from services.render.servicer import Context, budget
from services.render.store import PostgresTemplates
from services.render.templates import NewerVersionError, NewTemplate, TemplateLanguage, TemplateLibrary, TemplateVersion

TEMPLATE_SERVICE = "clarion.render.v1.TemplateService"
LOCALE_SERVICE = "clarion.render.v1.LocaleService"

# gRPC carries 16 MiB.
_MAX_PAGE_BYTES = 8 * 1024 * 1024

M = TypeVar("M", bound=Message)

log = logs.get(__name__)


class TemplateServicer(templates_pb2_grpc.TemplateServiceServicer):
    """See proto/clarion/render/v1/templates.proto."""

    # More than is accepted, so that the answer can name the field that is too long.
    MAX_BYTES: ClassVar = {"CreateTemplate": 2 * 1024 * 1024}

    def __init__(self, verbs: TemplateLibrary, store: PostgresTemplates) -> None:
        self._templates = verbs
        self._store = store

    async def CreateTemplate(
        self, request: templates_pb2.CreateTemplateRequest, context: Context
    ) -> templates_pb2.CreateTemplateResponse:
        """Create a new, inactive version."""
        new = NewTemplate(
            request.tenant_id,
            request.event_type,
            request.channel,
            request.subject,
            request.body,
            request.push_namespace,
            request.locale,
            request.preheader,
            request.layout,
            request.subscribed,
        )
        try:
            created = await self._templates.create(new, budget(context), based_on=request.based_on)
        except NewerVersionError as conflict:
            newer = await self._store.get(conflict.newer)
            return templates_pb2.CreateTemplateResponse(newer=shown(newer))
        log.info("template_created", template_version_id=created.id, tenant_id=new.tenant_id, event_type=new.event_type)
        return templates_pb2.CreateTemplateResponse(template=shown(created))

    async def SearchTemplates(
        self, request: templates_pb2.SearchTemplatesRequest, context: Context
    ) -> templates_pb2.SearchTemplatesResponse:
        """Look for a version."""
        return templates_pb2.SearchTemplatesResponse(hits=await self._store.search(*check_search(request)))

    async def ActivateTemplate(
        self, request: templates_pb2.ActivateTemplateRequest, context: Context
    ) -> templates_pb2.ActivateTemplateResponse:
        """Activate a version in place of the active one of its kind and locale."""
        changed = await self._store.set_active(request.template_version_id, active=True)
        log.info("template_activated", template_version_id=changed.id, tenant_id=changed.template.tenant_id)
        return templates_pb2.ActivateTemplateResponse(template=shown(changed))

    async def DeactivateTemplate(
        self, request: templates_pb2.DeactivateTemplateRequest, context: Context
    ) -> templates_pb2.DeactivateTemplateResponse:
        """Deactivate a version."""
        changed = await self._store.set_active(request.template_version_id, active=False)
        log.info("template_deactivated", template_version_id=changed.id, tenant_id=changed.template.tenant_id)
        return templates_pb2.DeactivateTemplateResponse(template=shown(changed))

    async def GetTemplate(
        self, request: templates_pb2.GetTemplateRequest, context: Context
    ) -> templates_pb2.GetTemplateResponse:
        """Return one version."""
        found = await self._store.get(request.template_version_id)
        return templates_pb2.GetTemplateResponse(template=shown(found))

    async def ListTemplates(
        self, request: templates_pb2.ListTemplatesRequest, context: Context
    ) -> templates_pb2.ListTemplatesResponse:
        """Return versions, newest first."""
        limit = page_limit(request.limit)
        versions = await self._store.page(
            tenant_ids=owners(request.tenant_id, request.tenant_ids),
            event_type=request.event_type,
            channel=request.channel,
            locale=_locale(request.locale) if request.HasField("locale") else None,
            active_only=request.active_only,
            limit=limit,
            cursor=request.cursor,
        )
        page = fitting([shown(version) for version in versions])
        next_cursor = page[-1].id if len(page) == limit or len(page) < len(versions) else ""
        return templates_pb2.ListTemplatesResponse(templates=page, next_cursor=next_cursor)

    async def ListTemplateLanguages(
        self, request: templates_pb2.ListTemplateLanguagesRequest, context: Context
    ) -> templates_pb2.ListTemplateLanguagesResponse:
        """Return the languages of templates, by tenant, event type, channel and locale."""
        limit = page_limit(request.limit)
        found = await self._store.languages(
            tenant_ids=request.tenant_ids,
            search=request.search,
            channel=request.channel,
            active_only=request.active_only,
            limit=limit,
            cursor=request.cursor,
        )
        next_cursor = found[-1].newest_id if len(found) == limit else ""
        return templates_pb2.ListTemplateLanguagesResponse(languages=map(_language, found), next_cursor=next_cursor)

    async def ListHelpers(
        self, request: templates_pb2.ListHelpersRequest, context: Context
    ) -> templates_pb2.ListHelpersResponse:
        """Return what templates can be written with."""
        helpers = [templates_pb2.TemplateHelper(**dataclasses.asdict(one)) for one in vocabulary.helpers()]
        elements = [templates_pb2.MarkupElement(**dataclasses.asdict(one)) for one in vocabulary.elements()]
        return templates_pb2.ListHelpersResponse(helpers=helpers, elements=elements)

    async def DiffTemplates(
        self, request: templates_pb2.DiffTemplatesRequest, context: Context
    ) -> templates_pb2.DiffTemplatesResponse:
        """Compare two versions."""
        found = await self._templates.diff(request.from_version_id, request.to_version_id, budget(context))
        answer = templates_pb2.DiffTemplatesResponse(
            to=shown(found.after), changed=found.changed, unified=found.unified
        )
        getattr(answer, "from").CopyFrom(shown(found.before))  # a keyword in Python
        return answer

    async def RefreshTemplate(
        self, request: templates_pb2.RefreshTemplateRequest, context: Context
    ) -> templates_pb2.RefreshTemplateResponse:
        """Create a version of the same content with the newest layout and partials."""
        made = await self._templates.refresh(request.template_version_id, budget(context))
        log.info("template_refreshed", template_version_id=made.id, tenant_id=made.template.tenant_id)
        return templates_pb2.RefreshTemplateResponse(template=shown(made))

    async def ResolveTemplates(
        self, request: templates_pb2.ResolveTemplatesRequest, context: Context
    ) -> templates_pb2.ResolveTemplatesResponse:
        """Return the active versions of a tenant's event type, or the one that is named."""
        if request.version:
            found = await self._store.version(request.tenant_id, request.event_type, request.channel, request.version)
        else:
            found = await self._templates.resolve(request.tenant_id, request.event_type)
        active = [
            templates_pb2.ActiveTemplate(
                channel=event_pb2.Channel.ValueType(one.channel),
                template_version_id=one.version_id,
                push_namespace=one.push_namespace,
                locale=one.locale,
                subscribed=one.subscribed,
            )
            for one in found
        ]
        default = await self._store.default_locale(request.tenant_id)
        return templates_pb2.ResolveTemplatesResponse(templates=active, default_locale=default)


class LocaleServicer(locales_pb2_grpc.LocaleServiceServicer):
    """See proto/clarion/render/v1/locales.proto."""

    def __init__(self, store: PostgresTemplates) -> None:
        self._store = store

    async def GetDefaultLocale(
        self, request: locales_pb2.GetDefaultLocaleRequest, context: Context
    ) -> locales_pb2.GetDefaultLocaleResponse:
        """Return a tenant's default locale; empty: none."""
        return locales_pb2.GetDefaultLocaleResponse(locale=await self._store.default_locale(request.tenant_id))

    async def SetDefaultLocale(
        self, request: locales_pb2.SetDefaultLocaleRequest, context: Context
    ) -> locales_pb2.SetDefaultLocaleResponse:
        """Set a tenant's default locale; empty: none."""
        violations(tenant_faults(request.tenant_id or "platform"))
        locale = _locale(request.locale)
        await self._store.set_default_locale(request.tenant_id, locale)
        return locales_pb2.SetDefaultLocaleResponse(locale=locale)


def _locale(asked: str) -> str:
    """Return a locale in its stored form; empty: none. Raises INVALID."""
    locale = locales.normal(asked)
    if asked and not locale:
        violations([Fault("locale", 0, 'must be a locale such as "en" or "pt-BR"')])
    return locale


def owners(tenant_id: str, tenant_ids: Sequence[str]) -> Sequence[str]:
    """Return whose templates a list contains; none means all. tenant_ids come before tenant_id."""
    if tenant_ids or not tenant_id:
        return tenant_ids
    return [tenant_id]


def _language(found: TemplateLanguage) -> templates_pb2.TemplateLanguage:
    values = dataclasses.asdict(found)
    return templates_pb2.TemplateLanguage(**{**values, "channel": event_pb2.Channel.ValueType(found.channel)})


def fitting(items: Sequence[M]) -> Sequence[M]:
    """Return the first items of a page, as many as one answer can carry, but at least one."""
    size = 0
    for count, item in enumerate(items):
        size += item.ByteSize()
        if size > _MAX_PAGE_BYTES and count:
            return items[:count]
    return items


def shown(found: TemplateVersion) -> templates_pb2.TemplateVersion:
    """Return a version as a message."""
    template = found.template
    return templates_pb2.TemplateVersion(
        id=found.id,
        version=found.version,
        tenant_id=template.tenant_id,
        event_type=template.event_type,
        channel=event_pb2.Channel.ValueType(template.channel),
        subject=template.subject,
        body=template.body,
        push_namespace=template.push_namespace,
        active=found.active,
        created_at_us=found.created_at_us,
        locale=template.locale,
        preheader=template.preheader,
        layout=template.layout,
        subscribed=template.subscribed,
        activated_at_us=found.activated_at_us,
        parts=[
            templates_pb2.PinnedPart(
                part_version_id=part.id,
                kind=templates_pb2.PartKind.ValueType(part.kind),
                name=part.name,
                version=part.version,
            )
            for part in found.parts
        ],
    )
