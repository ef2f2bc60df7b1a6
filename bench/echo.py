"""A baseline: aiohttp that only answers JSON with JSON. `python -m bench.echo` prints its port."""

import asyncio

import msgspec
import uvloop
from aiohttp import web


async def _trigger(request: web.Request) -> web.Response:
    event = msgspec.json.decode(await request.read())
    body = msgspec.json.encode({"success": True, "message": event["eventType"]})
    return web.Response(body=body, content_type="application/json")


async def _main() -> None:
    app = web.Application()
    app.router.add_post("/", _trigger)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def main() -> None:
    """Serve until killed."""
    uvloop.run(_main())


if __name__ == "__main__":
    main()
