"""How the audit log says in words what a call did. The tables are beside the routes."""

from collections.abc import Mapping
from dataclasses import dataclass

# What a call may be about, and how it is called in a sentence. The keys are values of the API.
KINDS: Mapping[str, str] = {
    "alerts": "alerts",
    "api_key": "API key",
    "application": "application",
    "delivery": "delivery",
    "encryption": "encryption",
    "endpoint": "endpoint",
    "environment": "environment",
    "event": "event",
    "event_type": "event type",
    "group": "group",
    "import": "import",
    "provider": "provider",
    "recipient": "recipient",
    "replay": "replay",
    "sample": "sample",
    "schedule": "schedule",
    "segment": "segment",
    "session": "session",
    "suppression": "suppression",
    "template": "template",
    "template_part": "layout or partial",
    "tenant": "tenant",
    "user": "user",
    "workflow": "workflow",
    "workflow_run": "workflow run",
}

# The first word of each sentence, as it stands after "tried to".
INFINITIVES: Mapping[str, str] = {
    "accepted": "accept",
    "activated": "activate",
    "added": "add",
    "allowed": "allow",
    "applied": "apply",
    "began": "begin",
    "canceled": "cancel",
    "changed": "change",
    "chose": "choose",
    "created": "create",
    "deactivated": "deactivate",
    "deleted": "delete",
    "erased": "erase",
    "exported": "export",
    "imported": "import",
    "invited": "invite",
    "joined": "join",
    "made": "make",
    "paused": "pause",
    "read": "read",
    "refreshed": "refresh",
    "renewed": "renew",
    "replaced": "replace",
    "replayed": "replay",
    "resumed": "resume",
    "retried": "retry",
    "revoked": "revoke",
    "rotated": "rotate",
    "saw": "see",
    "sent": "send",
    "signed": "sign",
    "skipped": "skip",
    "stored": "store",
    "subscribed": "subscribe",
    "suppressed": "suppress",
    "tried": "try",
    "unsubscribed": "unsubscribe",
}


@dataclass(frozen=True, slots=True)
class Words:
    """What a call did, in the past tense and without its subject: "rotated the webhook secret of {tenant}".

    {it}: the object that the call was about. {tenant}: the tenant; a sentence without it gets one at its end, if the
    call concerned a tenant. kind: one of KINDS. at: the path parameter with the object's id; empty: the last one, or
    the id of what was created.
    """

    past: str
    kind: str
    at: str = ""

    @property
    def creates(self) -> bool:
        """Whether {it} is what the call made."""
        return self.past.startswith(("created {it}", "added {it}", "invited {it}"))

    @property
    def infinitive(self) -> str:
        """The same after "tried to"."""
        verb, _, rest = self.past.partition(" ")
        return f"{INFINITIVES[verb]} {rest}".strip()
