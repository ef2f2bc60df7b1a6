"""The tenants of the recorded state: their settings, providers and templates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from checks.client import Operator, Tenant
from tests.conftest import free_port
from tests.e2e.provider_apis import AFRICASTALKING, RESEND
from tests.integration.upgrade.calls import SUPPRESSED, suppression
from tests.waiting import eventually

_LAYOUT = "<mjml><mj-body>{{{content}}}<mj-section><mj-column>{{> sign}}</mj-column></mj-section></mj-body></mjml>"
_SIGN = "<mj-text>Your shop</mj-text>"
_MAIL = "<mj-section><mj-column><mj-text>Order {{marker}}</mj-text></mj-column></mj-section>"


@dataclass
class Configured:
    """The tenants and their webhook secrets by name, and the provider whose mail server does not run."""

    tenants: dict[str, Tenant] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    mail_provider: str = ""


async def create_tenants(operator: Operator) -> Configured:
    """Create the tenants with their providers, templates and settings; return when the router knows all of it."""
    made = Configured()
    for name in ("shop", "signed", "bulk"):
        made.tenants[name] = await operator.create_tenant(name.title())
    nobody = {"host": "127.0.0.1", "port": free_port(), "tls": "none", "from_email": "us@tenant.example"}
    post = await operator.create_tenant("Post", providers={"EMAIL": ("smtp", nobody)})
    made.tenants["post"] = post
    providers = await operator.must("GET", f"/providers?tenant_id={post.id}")
    made.mail_provider = providers["data"][0]["id"]
    shop, signed, bulk = (made.tenants[name] for name in ("shop", "signed", "bulk"))

    for kind, name, body in (("PARTIAL", "sign", _SIGN), ("LAYOUT", "frame", _LAYOUT)):
        new = {"tenant_id": shop.id, "kind": kind, "name": name, "body": body}
        await operator.must("POST", "/template-parts", json=new)
    make = operator.create_template
    await make(shop, "order.placed", "EMAIL", _MAIL, subject="#{{marker}}# placed", layout="frame")
    await make(shop, "order.placed", "SMS", "#{{marker}}# placed, {{items.length}} items")
    await make(shop, "order.placed", "PUSH", "Placed", subject="#{{marker}}# placed", push_namespace="orders")
    for locale, word in (("en", "Hello"), ("de", "Guten Tag"), ("pt", "Bom dia")):
        await make(shop, "hello", "SMS", f"#{{{{marker}}}}# {word}", locale=locale)
    await operator.must("PUT", f"/tenants/{shop.id}/locale", json={"locale": "en"})
    await make(shop, "global.info", "SMS", "#{{title}}# of the shop's own")
    news = {"tenant_id": shop.id, "event_type": "news", "channel": "EMAIL", "activate": True, "subscribed": True}
    await operator.must("POST", "/templates", json={**news, "subject": "#{{marker}}# news", "body": "<p>News</p>"})
    for address, reason in SUPPRESSED.items():
        new = {"tenant_id": shop.id, "channel": "EMAIL", "address": address, "reason": reason}
        await operator.must("POST", "/suppressions", json=new)

    await make(post, "parcel.sent", "EMAIL", "<p>Sent {{items.length}}</p>", subject="#{{marker}}# parcel")
    await make(post, "parcel.sent", "PUSH", "Sent", subject="#{{marker}}# parcel")
    await make(bulk, "note", "SMS", "#{{marker}}#")
    await operator.must("PATCH", f"/tenants/{post.id}", json={"content_key": "seed"})
    limits = {"rate_limit_per_minute": 5000, "daily_cap": 90000, "delivery_channels": ["EMAIL", "PUSH"]}
    await operator.must("PATCH", f"/tenants/{signed.id}", json=limits)
    retention = {"events_days": 400, "payload_days": 300, "inbox_days": 200, "outbox_days": 100}
    await operator.must("PUT", f"/tenants/{signed.id}/retention", json=retention)
    secret = await operator.must("POST", f"/tenants/{signed.id}/webhook-secret", json={})
    made.secrets["signed"] = secret["webhook_secret"]

    apis = {
        "EMAIL": ("resend", {**RESEND, "from_email": "us@tenant.example"}),
        "SMS": ("africastalking", AFRICASTALKING),
    }
    reported = made.tenants["reported"] = await operator.create_tenant("Reported", providers=apis)
    letter = {"tenant_id": reported.id, "event_type": "letter", "activate": True}
    mail = {"channel": "EMAIL", "subject": "#{{marker}}#", "body": "<p>A letter</p>", "subscribed": True}
    await operator.must("POST", "/templates", json={**letter, **mail})
    await operator.must("POST", "/templates", json={**letter, "channel": "SMS", "body": "#{{marker}}#"})
    await eventually(partial(_is_configured, operator, made.tenants))
    return made


async def _is_configured(operator: Operator, tenants: Mapping[str, Tenant]) -> bool:
    """Return whether the router knows the suppressions and the languages, which it asks nobody for."""
    shop = tenants["shop"]
    if [await suppression(operator, shop, address) for address in SUPPRESSED] != list(SUPPRESSED.values()):
        return False
    query = f"tenant_id={shop.id}&event_type=hello&user_id=u&phone=%2B254712345678&locale=fr"
    (planned,) = (await operator.must("GET", f"/route-explain?{query}"))["deliveries"]
    policy = await operator.planned(tenants["signed"], "global.success")
    return (planned["locale"], policy["SMS"]["reason"]) == ("en", "tenant_policy")
