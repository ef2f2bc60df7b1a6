"""`clarion doctor`: checks everything that Clarion depends on, and reports what is missing or unsafe."""

import sys
from collections.abc import AsyncIterator, Callable

import msgspec

from cli.checks import broker, bucket, database, hub, processes
from cli.checks.finding import Finding, Level
from runtime.settings import Secret
from services.domain import topology

_NOTHING = Secret("")
_COLOURS = {Level.OK: "32", Level.WARN: "33", Level.FAIL: "31"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read from CLARION_<NAME>: the variables of the services, and addresses to check. Missing ones are reported."""

    postgres_url: Secret = _NOTHING
    nats_url: Secret = _NOTHING
    # http://host:port of the server's monitoring page.
    nats_monitor_url: str = ""
    nats_replicas: int = 1
    stream_max_bytes: int = topology.GIB
    centrifugo_url: str = ""
    centrifugo_api_key: Secret = _NOTHING
    centrifugo_token_secret: Secret = _NOTHING
    # The path of centrifugo.json.
    centrifugo_config: str = ""
    principal_secret: Secret = _NOTHING
    pseudonym_key: Secret = _NOTHING
    service_token: Secret = _NOTHING
    encryption_keys: tuple[str, ...] = ()
    ingest_address: str = ""
    router_address: str = ""
    render_address: str = ""
    senders_address: str = ""
    realtime_address: str = ""
    gateway_url: str = ""


async def examine(settings: Settings, say: Callable[[str], None]) -> int:
    """Print one line per finding. Return the exit status, 1 if a check failed."""
    counts = dict.fromkeys(Level, 0)
    async for finding in findings(settings):
        counts[finding.level] += 1
        say(_line(finding))
    say(f"{counts[Level.OK]} ok, {counts[Level.WARN]} warnings, {counts[Level.FAIL]} failed")
    return 1 if counts[Level.FAIL] else 0


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    """Yield all findings, one dependency after the other."""
    checks = (
        processes.secrets(
            settings.encryption_keys,
            {
                "CLARION_SERVICE_TOKEN": settings.service_token.reveal(),
                "CLARION_PRINCIPAL_SECRET": settings.principal_secret.reveal(),
                "CLARION_PSEUDONYM_KEY": settings.pseudonym_key.reveal(),
                "CLARION_CENTRIFUGO_TOKEN_SECRET": settings.centrifugo_token_secret.reveal(),
                "CLARION_CENTRIFUGO_API_KEY": settings.centrifugo_api_key.reveal(),
            },
        ),
        database.check(settings.postgres_url.reveal()),
        broker.check(
            broker.ExpectedBroker(
                settings.nats_url.reveal(), settings.nats_monitor_url, settings.nats_replicas, settings.stream_max_bytes
            )
        ),
        bucket.check(settings.postgres_url.reveal(), settings.nats_url.reveal()),
        hub.check(
            hub.ExpectedHub(
                settings.centrifugo_url,
                settings.centrifugo_api_key.reveal(),
                settings.centrifugo_token_secret.reveal(),
                settings.centrifugo_config,
            )
        ),
        processes.services(
            {
                "ingest": settings.ingest_address,
                "router": settings.router_address,
                "render": settings.render_address,
                "senders": settings.senders_address,
                "realtime": settings.realtime_address,
            }
        ),
        processes.gateway(settings.gateway_url),
    )
    for check in checks:
        async for finding in check:
            yield finding


def _line(finding: Finding) -> str:
    level = f"{finding.level.value:<4}"
    if sys.stdout.isatty():
        level = f"\033[{_COLOURS[finding.level]}m{level}\033[0m"
    remedy = f"{'' if finding.text.endswith('.') else '.'} {finding.remedy}" if finding.remedy else ""
    return f"{level}  {finding.subject:<10}  {finding.text}{remedy}"
