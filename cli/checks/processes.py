"""Checks of Clarion's own processes: health of services and gateway, and the shared secrets."""

from collections.abc import AsyncIterator, Mapping, Sequence

import aiohttp

from cli.checks.finding import Finding, fail, judge, ok, warn
from runtime.encryption import Vault
from runtime.grpc import is_serving

_LEAST_SECRET_BYTES = 32
_NEW_ENV = "deploy/new-env.sh adds what an .env lacks; restart the services with it."


async def services(addresses: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Check the health of each process. addresses: by service; each one or more host:port, separated by commas."""
    for name, group in addresses.items():
        if not group:
            yield fail(name, f"CLARION_{name.upper()}_ADDRESS is not set", "Set it as the gateway has it.")
            continue
        for address in group.split(","):
            serving = await is_serving(address, deadline=3)
            remedy = f"Look at its log. If it runs elsewhere, correct CLARION_{name.upper()}_ADDRESS."
            yield judge(serving, name, f"serving at {address}", f"not serving at {address}", remedy)


async def gateway(url: str) -> AsyncIterator[Finding]:
    """Check the health page of the gateway."""
    if not url:
        yield warn("gateway", "was not checked", "Set CLARION_GATEWAY_URL.")
        return
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
            session.get(f"{url.rstrip('/')}/healthz") as reply,
        ):
            body = await reply.text()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = "Start it, or correct CLARION_GATEWAY_URL."
        yield fail("gateway", f"cannot be reached at {url}: {error or type(error).__name__}", remedy)
        return
    answered = f"{url}/healthz answers {reply.status}: {body[:300]}"
    yield judge(reply.status == 200, "gateway", f"healthy at {url}", answered, "Fix the parts that it names.")
    if "forwarded_for_ignored" in body:
        yield warn(
            "gateway",
            "ignored X-Forwarded-For from a caller that is not in CLARION_TRUSTED_PROXIES. Its address is in the log"
            " line forwarded_for_ignored",
            "If it is your proxy, add it: until then all clients behind it share the limits of one address.",
        )


async def secrets(keys: Sequence[str], shared: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Check the encryption keys, and that shared secrets are long and different. shared: by variable."""
    if not keys:
        yield fail("secrets", "CLARION_ENCRYPTION_KEYS is not set", _NEW_ENV)
    else:
        try:
            Vault(*keys)
        except ValueError as error:
            yield fail("secrets", f"CLARION_ENCRYPTION_KEYS: {error}", _NEW_ENV)
        else:
            yield ok("secrets", f"{len(keys)} encryption key{'s' if len(keys) > 1 else ''}, valid")
    seen: dict[str, str] = {}
    for name, value in shared.items():
        if not value:
            yield fail("secrets", f"{name} is not set", _NEW_ENV)
        elif len(value.encode()) < _LEAST_SECRET_BYTES:
            yield fail("secrets", f"{name} is shorter than {_LEAST_SECRET_BYTES} characters", _NEW_ENV)
        elif value in seen:
            yield fail("secrets", f"{name} is the same as {seen[value]}", "Use a different secret for each.")
        else:
            seen[value] = name
    yield ok("secrets", f"{len(seen)} of {len(shared)} shared secrets are long and different")
