"""The templates of the tenant that seeding.py makes: versions, languages, a layout with a partial, samples."""

from typing import Any

_KIND = "order.shipped"

PARTS: tuple[dict[str, Any], ...] = (
    {
        "kind": "PARTIAL",
        "name": "signature",
        "body": '<mj-text color="#5c6b62">Walnut Lamps, Nairobi. We answer within a day.</mj-text>',
    },
    {
        "kind": "LAYOUT",
        "name": "brand",
        "body": (
            '<mjml>\n  <mj-body background-color="#f2efe9">\n'
            '    <mj-section padding="24px 0 8px"><mj-column>\n'
            '      <mj-text align="center" font-size="22px" font-weight="700" color="#6b4a2f">Walnut Lamps</mj-text>\n'
            "    </mj-column></mj-section>\n"
            "    {{{content}}}\n"
            '    <mj-section background-color="#ffffff"><mj-column>{{> signature}}</mj-column></mj-section>\n'
            "  </mj-body>\n</mjml>"
        ),
    },
)


def _mail(text: str, button: str) -> str:
    return (
        '<mj-section background-color="#ffffff" padding="24px">\n  <mj-column>\n'
        f'    <mj-text font-size="18px" line-height="26px">{text}</mj-text>\n'
        '    <mj-button background-color="#6b4a2f" border-radius="8px" '
        f'href="https://walnut.example/orders/{{{{orderId}}}}">{button}</mj-button>\n'
        "  </mj-column>\n</mj-section>"
    )


_GREETING = "Dear {{customerName}},<br />your order <b>{{orderId}}</b> has left our workshop."
_WITH_COUPON = _GREETING + "{{#if coupon}}<br />Your next lamp is cheaper with {{coupon}}.{{/if}}"

# The oldest first. The first one that is active is the template that screens open.
VERSIONS: tuple[dict[str, Any], ...] = (
    {
        "event_type": _KIND,
        "channel": "EMAIL",
        "subject": "Order {{orderId}} is on its way",
        "preheader": "Packed this morning, with you soon.",
        "body": _mail(_GREETING, "Follow your order"),
        "layout": "brand",
        "activate": True,
    },
    {
        "event_type": _KIND,
        "channel": "EMAIL",
        "subject": "Order {{orderId}} is on its way",
        "body": _mail(_WITH_COUPON, "Follow your order"),
        "layout": "brand",
    },
    {
        "event_type": _KIND,
        "channel": "EMAIL",
        "locale": "sw",
        "subject": "Agizo {{orderId}} liko njiani",
        "body": _mail("Mpendwa {{customerName}},<br />agizo lako <b>{{orderId}}</b> limeondoka.", "Fuatilia agizo"),
        "layout": "brand",
        "activate": True,
    },
    {
        "event_type": _KIND,
        "channel": "SMS",
        "body": "Walnut Lamps: order {{orderId}} has left our workshop.",
        "activate": True,
    },
    {
        "event_type": _KIND,
        "channel": "PUSH",
        "subject": "Order {{orderId}} is on its way",
        "body": "It left our workshop a moment ago.",
        "push_namespace": "orders",
        "activate": True,
    },
    {
        "event_type": "order.paid",
        "channel": "PUSH",
        "subject": "Thank you",
        "body": "We got your payment for order {{orderId}}.",
        "push_namespace": "orders",
        "activate": True,
    },
    {
        "event_type": "stock.moved",
        "channel": "PUSH",
        "subject": "{{lamps}} lamps moved",
        "body": "They are in the warehouse now.",
        "activate": True,
    },
)

SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "event_type": _KIND,
        "name": "With a coupon",
        "variables": {"orderId": "W-1042", "customerName": "Ada", "coupon": "LIGHT10", "total": 120},
    },
    {
        "event_type": _KIND,
        "name": "Without a coupon",
        "variables": {"orderId": "W-1043", "customerName": "Grace", "total": 80},
    },
)
