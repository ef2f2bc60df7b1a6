"""Prints what becomes of each address of the corpus as a webhook: `python -m tests.integration.egress`."""

import asyncio
import logging
import sys

import structlog

from services.delivery.ports import SendResult, Verdict
from tests.integration.egress import name_server
from tests.integration.egress.corpus import HARMLESS, MORE_NAMES, NAMES, REDIRECTS
from tests.integration.egress.watch import watching
from tests.integration.egress.webhooks import connecting_nowhere, hostile, is_refused, public_names, sending
from tests.integration.senders.webhooks.receivers import answering, receiving


async def _run() -> int:
    failed = 0

    def tell(title: str, url: str, result: SendResult, *, well: bool) -> None:
        nonlocal failed
        failed += not well
        print(f"{'✓' if well else '✗'} {title}: {ascii(url)[1:-1]}: {result.reason}: {result.detail}")

    async with watching() as watch, name_server.serving({**NAMES, **MORE_NAMES}) as names:
        refused = hostile(watch.port)
        async with sending(names, watch.port) as attempt:
            for url in refused:
                result = await attempt(url)
                tell("refused", url, result, well=is_refused(result) and watch.untouched())
        for location in REDIRECTS:
            where = location.format(port=watch.port)
            answer = f"HTTP/1.1 302 Found\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
            async with (
                receiving(answering(answer)) as receiver,
                sending(names, watch.port, allow=(f"127.0.0.1:{receiver.port}",)) as attempt,
            ):
                result = await attempt(receiver.url)
            well = result.reason == "endpoint_error" and not watch.accepted
            tell("redirect not followed", where, result, well=well)
    with connecting_nowhere() as tried:
        async with sending(public_names) as attempt:
            for number, url in enumerate(HARMLESS, start=1):
                result = await attempt(url)
                tell("called", url, result, well=result.verdict is Verdict.TRANSIENT and len(tried) == number)
    total = len(refused) + len(REDIRECTS)
    passed = total + len(HARMLESS) - failed
    print(f"{total} hostile addresses, {len(HARMLESS)} harmless ones: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(asyncio.run(_run()))
