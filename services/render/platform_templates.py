"""Creates the platform's templates for the five global event types if there are none yet."""

from functools import partial
from pathlib import Path
from string import Template
from typing import Protocol

from runtime import logs
from runtime.errors import ClarionError
from runtime.ids import new_id
from runtime.retrying import retry
from services.render.frames import EMAIL, PUSH, SMS
from services.render.templates import GLOBAL_KINDS, NewTemplate

_FOLDER = Path(__file__).with_name("platform")
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 2.0

# Colour and heading of each kind's mail.
_LOOKS = {
    "info": ("#2563eb", "Information"),
    "success": ("#15803d", "Success"),
    "warning": ("#b45309", "Warning"),
    "alert": ("#c2410c", "Alert"),
    "error": ("#b91c1c", "Error"),
}
_SUBJECT = Template("{{#if title}}{{title}}{{else}}$heading{{/if}}")
_FILES = {EMAIL: "email.mjml", SMS: "sms.hbs", PUSH: "push.hbs"}

log = logs.get(__name__)


class FirstVersions(Protocol):
    """Stores templates."""

    async def create_first(self, version_id: str, new: NewTemplate) -> bool:
        """Store, activate and publish a version if its kind has none yet; return whether it was stored."""


def templates() -> list[NewTemplate]:
    """Return a template for each kind and channel. Their variables are title and message."""
    bodies = {channel: Template((_FOLDER / name).read_text(encoding="utf-8")) for channel, name in _FILES.items()}
    made = []
    for kind in GLOBAL_KINDS:
        accent, heading = _LOOKS[kind]
        for channel, body in bodies.items():
            subject = "" if channel == SMS else _SUBJECT.substitute(heading=heading)
            text = body.substitute(accent=accent, heading=heading).rstrip("\n")
            made.append(NewTemplate("", f"global.{kind}", channel, subject, text))
    return made


def _tell(failure: BaseException, _: int) -> None:
    log.warning("platform_templates_postponed", error=str(failure))


async def ensure(store: FirstVersions) -> None:
    """Create the templates whose kind has no version. Retries while the database is not reachable."""
    for new in templates():
        if await retry(
            partial(store.create_first, new_id(), new),
            ClarionError,
            first_s=_FIRST_PAUSE_S,
            longest_s=_LONGEST_PAUSE_S,
            before_pause=_tell,
        ):
            log.info("platform_template_created", event_type=new.event_type, channel=new.channel)
