"""What an outage is, and the words in which it is told: pure."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import IntEnum
from urllib.parse import quote

from services.domain import channels
from services.domain.reasons import text_of

# Types of events that endpoints of the alert tenant can subscribe to.
_TYPE = "clarion."
# The platform's templates for people.
PEOPLE_DOWN, PEOPLE_RECOVERED = "global.alert", "global.success"

_CHANNELS: dict[int, channels.Channel] = {int(number): one for number, one in channels.BY_NUMBER.items()}

ENDPOINT_DOWN, ENDPOINT_DISABLED = "endpoint_down", "endpoint_disabled"
DEAD_LETTERS, QUOTA_NEAR, QUOTA = "dead_letters", "quota_near", "quota"
# Reasons that are told although the outage goes on: now somebody must act.
WORSE = frozenset({ENDPOINT_DISABLED, QUOTA})
# Why an endpoint was disabled that did not fail for too long: it said so itself.
_GONE = "gone"


class Kind(IntEnum):
    """See clarion.senders.v1.OutageKind."""

    PROVIDER = 1
    ENDPOINT = 2
    DEAD_LETTERS = 3
    QUOTA = 4


# What tenants have alerts of their own about.
KINDS_OF_TENANTS = frozenset({Kind.PROVIDER, Kind.ENDPOINT})


class Audience(IntEnum):
    """Who is told; the number is that of the column audience."""

    OPERATOR = 0
    TENANT = 1


class Phase(IntEnum):
    """What is told of an outage; the number is that of the column told."""

    BEGAN = 1
    ENDED = 2


_WORDS = {
    Kind.PROVIDER: ("provider_down", "provider_recovered"),
    Kind.ENDPOINT: ("endpoint_down", "endpoint_recovered"),
    Kind.DEAD_LETTERS: ("dead_letters_piling_up", "dead_letters_settled"),
    Kind.QUOTA: ("quota_used_up", "quota_free"),
}
_QUOTA_NEAR = "quota_nearly_used_up"


@dataclass(frozen=True, slots=True)
class Outage:
    """An outage. Times in Unix microseconds; ended_us 0: it goes on. told: 0, or the Phase that was told last.

    attempts: how often it was tried without success to tell what is to be told now.
    """

    id: str
    kind: Kind
    tenant_id: str
    object_id: str
    channel: int
    name: str
    reason: str
    detail: str
    began_us: int
    failed_us: int = 0
    ended_us: int = 0
    told: int = 0
    audience: Audience = Audience.OPERATOR
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Where alerts go. tenant_id: whose events they are; empty: nowhere. kinds: empty: all.

    endpoints: whether they go to endpoints that subscribe to them.
    """

    tenant_id: str = ""
    recipients: tuple[str, ...] = ()
    kinds: tuple[int, ...] = ()
    endpoints: bool = True

    def beside(self, others: "AlertSettings", outage: Outage) -> "AlertSettings":
        """Return these settings of a tenant without those whom the operator's settings tell of an outage anyway."""
        if others.tenant_id != self.tenant_id or not others.wants(outage):
            return self
        recipients = tuple(one for one in self.recipients if one not in others.recipients)
        return replace(self, recipients=recipients, endpoints=False)

    def wants(self, outage: Outage) -> bool:
        """Return whether an outage is told.

        Trouble of the alert tenant's own events is not: each alert could cause the next one. Outages of its providers
        and endpoints are, because an outage is told once however many messages fail.
        """
        has_somewhere = self.tenant_id and (self.recipients or self.endpoints)
        if not has_somewhere or (self.kinds and outage.kind not in self.kinds):
            return False
        is_own = outage.tenant_id == self.tenant_id
        return not (is_own and outage.kind in (Kind.DEAD_LETTERS, Kind.QUOTA))


@dataclass(frozen=True, slots=True)
class Alert:
    """What is sent. key: the same for the same alert. event_type: for endpoints; people get a platform template."""

    key: str
    event_type: str
    people_type: str
    title: str
    message: str
    variables: dict[str, str]


def event_types() -> list[str]:
    """Return the types of events that endpoints can subscribe to."""
    return [_TYPE + word for words in (*_WORDS.values(), (_QUOTA_NEAR,)) for word in words]


def alert_of(outage: Outage, phase: Phase, tenant_name: str, public_url: str) -> Alert:
    """Return the alert that tells of an outage."""
    is_down = phase is Phase.BEGAN
    whose = tenant_name or outage.tenant_id
    title, lines = _down(outage, whose) if is_down else _recovered(outage, whose)
    link = _link(outage, public_url)
    event_type = _TYPE + _word(outage, is_down=is_down)
    variables = {
        "type": event_type,
        "tenant_id": outage.tenant_id,
        "tenant_name": tenant_name,
        "object_id": outage.object_id,
        "reason": outage.reason,
        "detail": outage.detail,
        "began_at": _time(outage.began_us),
        "ended_at": _time(outage.ended_us) if not is_down else "",
        "link": link,
    }
    message = " ".join([*lines, *([link] if link else [])])
    key = f"{outage.id}.{phase.name.lower()}.{outage.reason}"
    people_type = PEOPLE_DOWN if is_down else PEOPLE_RECOVERED
    return Alert(key, event_type, people_type, title, message, {name: text for name, text in variables.items() if text})


def _word(outage: Outage, *, is_down: bool) -> str:
    if is_down and outage.reason == QUOTA_NEAR:
        return _QUOTA_NEAR
    return _WORDS[outage.kind][0 if is_down else 1]


def _down(outage: Outage, whose: str) -> tuple[str, list[str]]:
    since = f"Since {_short(outage.began_us)}."
    match outage.kind:
        case Kind.PROVIDER:
            said = [f"Its last answer: {outage.detail.rstrip('.')}."] if outage.detail else []
            title = f"Provider down: {_provider(outage)} of {whose}"
            return title, [f"It is not called at the moment. {text_of(outage.reason)}", *said, since]
        case Kind.ENDPOINT if outage.reason == ENDPOINT_DISABLED:
            why = "It answered that it is gone" if outage.detail == _GONE else "It failed for too long"
            what = f"{why}, and was disabled. Messages wait until it is enabled again."
            return f"Endpoint disabled: {outage.object_id} of {whose}", [what, since]
        case Kind.ENDPOINT:
            what = "It failed several times, so messages for it wait until an attempt succeeds."
            return f"Endpoint down: {outage.object_id} of {whose}", [what, since]
        case Kind.DEAD_LETTERS:
            return f"Deliveries of {whose} die", [
                f"{outage.detail} It died of all attempts; replay them when the cause is gone."
            ]
        case _ if outage.reason == QUOTA_NEAR:
            return f"The quota of {whose} is nearly used up", [
                f"{outage.detail} When all of it is used, new events are refused.",
                since,
            ]
        case _:
            return f"The quota of {whose} is used up", [
                f"{outage.detail} New events are refused until some are finished.",
                since,
            ]


def _recovered(outage: Outage, whose: str) -> tuple[str, list[str]]:
    took = f"It lasted from {_short(outage.began_us)} to {_short(outage.ended_us)}."
    match outage.kind:
        case Kind.PROVIDER:
            what = "It accepts messages again. Deliveries that died meanwhile can be replayed."
            return f"Provider works again: {_provider(outage)} of {whose}", [what, took]
        case Kind.ENDPOINT:
            return f"Endpoint works again: {outage.object_id} of {whose}", ["What waited for it is being sent.", took]
        case Kind.DEAD_LETTERS:
            return f"No more deliveries of {whose} die", ["Few or none died in the last hour.", took]
        case _:
            return f"The quota of {whose} has room again", ["New events are accepted.", took]


def _provider(outage: Outage) -> str:
    channel = _CHANNELS.get(outage.channel)
    return f"{outage.name} ({channel.name})" if channel else outage.name


def _link(outage: Outage, public_url: str) -> str:
    """Return where an operator looks further; empty: the public URL is not known."""
    if not public_url:
        return ""
    page = {
        Kind.PROVIDER: f"providers/{quote(outage.object_id, safe='')}",
        Kind.ENDPOINT: f"endpoints/{quote(outage.object_id, safe='')}",
        Kind.DEAD_LETTERS: "dead-letters",
        Kind.QUOTA: f"tenants/{outage.tenant_id}",
    }[outage.kind]
    return f"{public_url.rstrip('/')}/console/{page}?tenant={outage.tenant_id}"


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _short(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M UTC")
