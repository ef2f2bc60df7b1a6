"""Typical templates with their data."""

from dataclasses import dataclass
from typing import Any

from services.render.frames import EMAIL, SMS, TemplateSource

_ROWS = (
    "{{#each items}}<tr><td>{{@index}}</td><td>{{name}}</td><td>{{quantity}}</td>"
    "<td>{{../currency}} {{price}}</td></tr>{{/each}}"
)
_RECEIPT = (
    "<h1>Hello {{customer.name}}</h1>"
    "{{#if vip}}<p>Thank you for your loyalty.</p>{{else}}<p>Thank you.</p>{{/if}}"
    f"<table>{_ROWS}</table>"
    "{{#unless paid}}<p>Please pay {{currency}} {{total}} to {{seller.name}}, {{seller.city}}.</p>{{/unless}}"
)
_MJML = (
    "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{customer.name}}</mj-text>"
    "{{#if vip}}<mj-text>Thank you for your loyalty.</mj-text>{{/if}}"
    f"<mj-table>{_ROWS}</mj-table>"
    '<mj-button href="https://shop.example/orders/{{order}}">Your order</mj-button>'
    "</mj-column></mj-section></mj-body></mjml>"
)


@dataclass(frozen=True)
class Workload:
    """A template version and its data."""

    name: str
    source: TemplateSource
    data: dict[str, Any]

    @property
    def is_mjml(self) -> bool:
        """Return whether the template is MJML."""
        return self.source.body.startswith("<mjml")


def _data(items: int) -> dict[str, Any]:
    return {
        "name": "Ada <ada@example.org>",
        "order": "A-1735",
        "customer": {"name": "Ada & Co."},
        "seller": {"name": "Shop", "city": "Oslo"},
        "vip": True,
        "paid": False,
        "currency": "EUR",
        "total": "1234.50",
        "items": [{"name": f"Thing {number}", "quantity": number, "price": "12.50"} for number in range(items)],
    }


WORKLOADS = (
    Workload(
        "SMS, 3 values", TemplateSource(SMS, "", "Hi {{name}}: order {{order}}, {{total}}, is on its way."), _data(0)
    ),
    Workload("HTML, 20 rows", TemplateSource(EMAIL, "Order {{order}}", _RECEIPT), _data(20)),
    Workload("MJML, 5 rows", TemplateSource(EMAIL, "Order {{order}}", _MJML), _data(5)),
)
# What compiling costs grows with: about 8 KB, 500 tags.
LARGE = TemplateSource(EMAIL, "", "<p>{{#if a.b}}{{c}}{{/if}}</p>\n" * 250)
