"""What a tenant lacks to deliver, from what its services say: pure."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from clarion.common.v1 import error_pb2, event_pb2
from clarion.ingest.v1 import refusals_pb2, tenants_pb2, usage_pb2
from clarion.render.v1 import templates_pb2
from clarion.router.v1 import endpoints_pb2
from clarion.senders.v1 import alerts_pb2, senders_pb2
from services.domain import channels
from services.domain.reasons import Reason, text_of
from services.domain.refused import BY_WORD, Refused

# Nothing of something is delivered; something may not be; good to know.
BLOCKS, WARNS, TELLS = "blocks", "warns", "tells"
SEVERITIES = (BLOCKS, WARNS, TELLS)

_SANDBOX = "sandbox"
_NEED_PROVIDER = {number for number, channel in channels.BY_NUMBER.items() if channel.needs_provider}
# A share of a limit from which it is worth a look.
_NEARLY = 0.9
# Of the same code, so that one fault does not hide the others.
_MOST_OF_CODE = 20
_WINDOWS = {1: "second", 60: "minute", 3_600: "hour", 86_400: "day"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is missing. link: a page of the console."""

    code: str
    severity: str
    detail: str
    fix: str
    link: str

    def shown(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "detail": self.detail,
            "fix": self.fix,
            "link": self.link,
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """What the services say; None: they did not answer."""

    tenant: tenants_pb2.Tenant
    usage: usage_pb2.GetUsageResponse | None = None
    shortfalls: usage_pb2.ListShortfallsResponse | None = None
    refusals: Sequence[refusals_pb2.Refusals] | None = None
    providers: Sequence[senders_pb2.Provider] | None = None
    outages: Sequence[alerts_pb2.Outage] | None = None
    templates: Sequence[templates_pb2.TemplateVersion] | None = None
    endpoints: Sequence[endpoints_pb2.Endpoint] | None = None
    dead_letters: int | None = None
    links: "Links" = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "links", Links(self.tenant.id))


@dataclass(frozen=True, slots=True)
class Links:
    """Pages of the console for a tenant."""

    tenant_id: str

    def to(self, page: str, **query: str) -> str:
        """Return the path of a page with the tenant in sight."""
        return f"/console/{page}?{urlencode({'tenant': self.tenant_id, **query})}"

    @property
    def overview(self) -> str:
        """The tenant's page, where it is activated."""
        return self.to(f"tenants/{self.tenant_id}")

    @property
    def keys(self) -> str:
        """The tenant's keys."""
        return self.to(f"tenants/{self.tenant_id}/keys")

    @property
    def settings(self) -> str:
        """The tenant's sender, channels and limits."""
        return self.to(f"tenants/{self.tenant_id}/settings")


def findings(facts: Facts) -> list[Finding]:
    """Return what is missing, what blocks first."""
    found = [
        *_of_tenant(facts),
        *_of_providers(facts),
        *_of_templates(facts),
        *_of_endpoints(facts),
        *_of_limits(facts),
        *_of_refusals(facts),
        *_of_dead_letters(facts),
    ]
    counts: Counter[str] = Counter()
    kept = []
    for one in found:
        counts[one.code] += 1
        if counts[one.code] <= _MOST_OF_CODE:
            kept.append(one)
    return sorted(kept, key=lambda one: SEVERITIES.index(one.severity))


def _of_tenant(facts: Facts) -> list[Finding]:
    tenant, links = facts.tenant, facts.links
    found = []
    if not tenant.active:
        found.append(
            Finding(
                "tenant_inactive",
                BLOCKS,
                "The tenant is not active: its keys do not work, and nothing is sent.",
                "Activate the tenant.",
                links.overview,
            )
        )
    if not tenant.key_last4 and (facts.usage is None or not facts.usage.keys):
        found.append(Finding("no_key", BLOCKS, "The tenant has no API key.", "Create a key.", links.keys))
    return found


def _of_providers(facts: Facts) -> list[Finding]:
    providers = facts.providers
    if providers is None:
        return []
    used = _channels_in_use(facts)
    found = [] if used & _NEED_PROVIDER else _of_beginning(facts)
    for number in channels.FOR_PEOPLE:
        channel = channels.BY_NUMBER[number]
        if not channel.needs_provider:
            continue
        link = facts.links.to("providers", channel=channel.public_name)
        own = [one for one in providers if one.channel == number]
        if not own and number in used:
            detail = f"Nothing is sent by {channel.public_name}: the tenant has no provider for it."
            found.append(Finding("no_provider", BLOCKS, detail, "Create a provider.", link))
        elif own and all(one.kind == _SANDBOX for one in own):
            detail = f"{channel.public_name} goes to the sandbox, which stores the messages: nobody receives them."
            found.append(Finding("sandbox_only", TELLS, detail, "Create a provider that sends.", link))
        elif own and number == event_pb2.CHANNEL_EMAIL:
            found += _of_sender(facts, own)
    return found + _of_outages(facts, providers)


def _of_beginning(facts: Facts) -> list[Finding]:
    """Return that there is no provider, to somebody who has not chosen any channel yet by what they set up."""
    if facts.providers or facts.templates is None or facts.templates or facts.endpoints:
        return []
    allowed = set(facts.tenant.delivery_channels)
    waiting = _NEED_PROVIDER & allowed if allowed else _NEED_PROVIDER
    if not waiting:
        return []
    names = " or ".join(channels.PUBLIC_NAMES[number] for number in sorted(waiting))
    detail = f"The tenant has no provider. Without one, nothing is sent by {names}."
    return [Finding("no_provider", WARNS, detail, "Create a provider.", facts.links.to("providers"))]


def _of_sender(facts: Facts, providers: Sequence[senders_pb2.Provider]) -> list[Finding]:
    if facts.tenant.sender_email or all(one.kind == _SANDBOX or _has_sender(one) for one in providers):
        return []
    return [
        Finding(
            "no_sender",
            BLOCKS,
            "Mail has no sender's address: neither the tenant has one, nor does each of its providers.",
            "Set the tenant's sender_email, or the provider's from_email.",
            facts.links.settings,
        )
    ]


def _has_sender(provider: senders_pb2.Provider) -> bool:
    try:
        settings = json.loads(provider.settings_json)
    except ValueError:
        return True  # of another version: its own error tells
    return bool(settings.get("from_email")) if isinstance(settings, dict) else True


def _of_outages(facts: Facts, providers: Sequence[senders_pb2.Provider]) -> list[Finding]:
    names = {one.id: one.name or one.kind for one in providers}
    of_channel = Counter(one.channel for one in providers)
    found = []
    for outage in facts.outages or ():
        if outage.kind == alerts_pb2.OUTAGE_KIND_PROVIDER and outage.object_id in names:
            name, said = (
                names[outage.object_id],
                f" Its last answer: {outage.detail.rstrip('.')}." if outage.detail else "",
            )
            is_only = of_channel[outage.channel] == 1
            detail = f"The provider {name} is down. {text_of(outage.reason)}{said}"
            link = facts.links.to(f"providers/{outage.object_id}")
            fix = "Correct its settings, or look at the provider's own status page."
            found.append(Finding("provider_down", BLOCKS if is_only else WARNS, detail, fix, link))
    return found


def _channels_in_use(facts: Facts) -> set[int]:
    """Return the channels for which there are active templates, or events that were skipped for want of a provider."""
    used: set[int] = {one.channel for one in facts.templates or ()}
    if facts.shortfalls is not None:
        used |= {one.channel for one in facts.shortfalls.shortfalls if one.reason == Reason.NO_PROVIDER}
    allowed: set[int] = set(facts.tenant.delivery_channels)
    return used & allowed if allowed else used


def _of_templates(facts: Facts) -> list[Finding]:
    found = []
    if facts.templates is not None and not facts.templates:
        found.append(
            Finding(
                "no_templates",
                WARNS,
                "The tenant has no active template. Only events of the types global.* reach people.",
                "Write a template, and activate it.",
                facts.links.to("templates"),
            )
        )
    for one in facts.shortfalls.shortfalls if facts.shortfalls is not None else ():
        finding = _of_shortfall(facts, one)
        if finding is not None:
            found.append(finding)
    return found


def _of_shortfall(facts: Facts, one: usage_pb2.Shortfall) -> Finding | None:
    """Return what the newest events of a type lacked; None: another check tells."""
    events = "1 event" if one.count == 1 else f"{one.count:,} events"
    channel = channels.PUBLIC_NAMES.get(one.channel, "")
    where = f" by {channel}" if channel else ""
    detail = f"{one.event_type}: {events} sent nothing{where} lately. {text_of(one.reason)}"
    template = facts.links.to("templates", event_type=one.event_type, **({"channel": channel} if channel else {}))
    match one.reason:
        case Reason.NO_ACTIVE_TEMPLATE:
            return Finding("no_active_template", BLOCKS, detail, "Activate a template of this type.", template)
        case Reason.NO_TEMPLATE_FOR_LOCALE:
            fix = "Activate a version without a language, or one in the recipients' language."
            return Finding("no_template_for_locale", WARNS, detail, fix, template)
        case Reason.TENANT_POLICY:
            fix = "Add the channel to the tenant's channels, or deactivate the template."
            return Finding("channel_off", WARNS, detail, fix, facts.links.settings)
        case Reason.NO_SUBSCRIBER:
            fix = "Subscribe an endpoint to this event type."
            return Finding("no_subscriber", TELLS, detail, fix, facts.links.to("endpoints"))
        case _:
            return None


def _of_endpoints(facts: Facts) -> list[Finding]:
    found = []
    for one in facts.endpoints or ():
        if not one.active and one.disabled_reason not in ("", "operator"):
            said = "it answered that it is gone" if one.disabled_reason == "gone" else "it only failed"
            detail = f"The endpoint {one.description or one.id} was disabled, because {said}. Its messages wait."
            link = facts.links.to(f"endpoints/{one.id}")
            found.append(Finding("endpoint_disabled", WARNS, detail, "Repair its receiver, then enable it.", link))
    listed = {one.id for one in facts.endpoints or () if not one.active}
    names = {one.id: one.description for one in facts.endpoints or ()}
    for outage in facts.outages or ():
        if outage.kind == alerts_pb2.OUTAGE_KIND_ENDPOINT and outage.object_id not in listed:
            name = names.get(outage.object_id) or outage.object_id
            detail = f"The endpoint {name} fails, so its messages wait until an attempt succeeds."
            link = facts.links.to(f"endpoints/{outage.object_id}")
            found.append(Finding("endpoint_down", WARNS, detail, "Look at its last attempts.", link))
    return found


def _of_limits(facts: Facts) -> list[Finding]:
    found = []
    for one in facts.usage.limits if facts.usage is not None else ():
        used = one.bound - one.remaining
        if one.bound and used < _NEARLY * one.bound:
            continue
        severity = BLOCKS if one.remaining == 0 else WARNS
        word = "used up" if one.remaining == 0 else "nearly used up"
        detail = f"{_limit_name(one)} is {word}: {used:,} of {one.bound:,}. Beyond it, requests are refused with 429."
        found.append(Finding("limit_reached", severity, detail, "Raise the limit, or send less.", facts.links.settings))
    return found


def _limit_name(one: error_pb2.LimitState) -> str:
    match one.kind:
        case error_pb2.LIMIT_KIND_UNFINISHED:
            return "The quota of unfinished events"
        case error_pb2.LIMIT_KIND_BYTES:
            return "The quota of bytes of unfinished events"
        case error_pb2.LIMIT_KIND_SCHEDULED:
            return "The quota of scheduled events"
        case _:
            whose = " of a key" if one.key_id else f" of the scope {one.scope}" if one.scope else ""
            return f"The rate per {_WINDOWS.get(one.window_s, f'{one.window_s:,} s')}{whose}"


def _of_refusals(facts: Facts) -> list[Finding]:
    counts: Counter[str] = Counter()
    for one in facts.refusals or ():
        counts[one.reason] += one.count
    found = []
    for word, count in counts.most_common():
        reason = BY_WORD.get(word, Refused.OTHER)
        requests = "1 request was" if count == 1 else f"{count:,} requests were"
        detail = f"{requests} refused in the last 24 hours. {reason.text}"
        link = facts.links.to("refused", reason=reason.value)
        found.append(Finding("requests_refused", WARNS, detail, reason.fix, link))
    return found


def _of_dead_letters(facts: Facts) -> list[Finding]:
    if not facts.dead_letters:
        return []
    count = f"{facts.dead_letters:,}" if facts.dead_letters <= 10_000 else "More than 10,000"
    detail = f"{count} deliveries failed after their last attempt, and wait for a decision."
    return [
        Finding(
            "dead_letters",
            WARNS,
            detail,
            "Read their reasons; when the cause is gone, replay them.",
            facts.links.to("dead-letters"),
        )
    ]
