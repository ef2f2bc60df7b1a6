"""/connection/websocket: the only path of the realtime hub that browsers can reach.

Frames of the hub are passed on unchanged. Commands of a browser are parsed: it may join the channels that its token
names, at a limited rate (session.py). slots.py limits connections per user and address, and unauthenticated ones.
"""

from aiohttp import web

from gateway.addresses import Proxies
from gateway.clients import Clients
from gateway.life import LIFE
from gateway.settings import Settings
from gateway.websocket.proxy import PATH, Proxy
from gateway.websocket.slots import ConnectionSlots, SlotLimits


def add_routes(app: web.Application, clients: Clients, proxies: Proxies, settings: Settings) -> None:
    """Serve the WebSocket."""
    limits = SlotLimits.of(
        connected=settings.max_websockets,
        per_address=settings.max_websockets_per_address,
        per_user=settings.max_websockets_per_user,
    )
    proxy = Proxy(clients, app[LIFE], proxies, ConnectionSlots(limits), connect_s=settings.websocket_connect_s)
    app.router.add_get(PATH, proxy.connect, allow_head=False)
    app.on_shutdown.append(proxy.close_all)
