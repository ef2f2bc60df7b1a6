"""What an event of some type means to a tenant: the workflows that it starts and the endpoints that subscribe to it.

With all that planning needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

from clarion.common.v1 import event_pb2
from services.domain import channels
from services.domain.endpoints import Subscriber
from services.domain.reasons import Reason
from services.router.filters import Filter

ChannelNumber: TypeAlias = event_pb2.Channel.ValueType

# Why a tenant's events are not even looked at.
REFUSALS = frozenset({Reason.TENANT_UNKNOWN, Reason.UNROUTABLE})


@dataclass(frozen=True, slots=True)
class Template:
    """An active template version. locale: empty: for recipients whom no other version suits.

    version_id: empty: the event has the content itself, see clarion.common.v1.DirectMessage.
    subscribed: recipients may unsubscribe from this mail.
    """

    version_id: str
    locale: str = ""
    push_namespace: str = ""
    subscribed: bool = False


@dataclass(frozen=True)
class Step:
    """Sends a message to each recipient on one channel.

    name: unique within its workflow. It never changes, because the ids of deliveries are made of it.
    templates: one for each locale, of which each recipient gets the best one. Empty: there is none. category: of its
    stored workflow, which recipients may refuse; empty: none.
    """

    name: str
    channel: ChannelNumber
    templates: Sequence[Template]
    category: str = ""

    @cached_property
    def is_localised(self) -> bool:
        """Whether the template depends on the recipient's language."""
        return any(template.locale for template in self.templates)

    @cached_property
    def name_if_not_channels(self) -> str:
        """The name as deliveries carry it: empty where it is the channel's."""
        return "" if self.name == channels.NAMES[self.channel] else self.name


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps that are sent at the same time. id: empty: nobody stored it, see services.router.compiler."""

    steps: Sequence[Step]
    id: str = ""


@dataclass(frozen=True)
class Definition:
    """What an event of some type means to a tenant. workflows: empty: people get nothing, for the reason in reason.

    allowed: the channels that the tenant may use; empty: all. providers: ids by channel, best first. default_locale: of
    the tenant. subscribers: the active endpoints that subscribe to the type. filters: of those that have one, by the
    endpoint's id.
    """

    workflows: Sequence[Workflow] = ()
    allowed: frozenset[ChannelNumber] = frozenset()
    providers: Mapping[ChannelNumber, Sequence[str]] = field(default_factory=dict)
    default_locale: str = ""
    reason: Reason = Reason.NO_ACTIVE_TEMPLATE
    subscribers: Sequence[Subscriber] = ()
    filters: Mapping[str, Filter] = field(default_factory=dict)

    @cached_property
    def steps(self) -> Sequence[tuple[str, Step]]:
        """All steps, each with its workflow's id."""
        return [(workflow.id, step) for workflow in self.workflows for step in workflow.steps]

    @property
    def is_refused(self) -> bool:
        """Whether nobody and no endpoint gets anything: the tenant is unknown, or cannot be looked up."""
        return self.reason in REFUSALS
