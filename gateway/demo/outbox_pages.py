"""The HTML of the outbox: a list, one message, and errors. Everything of a message is escaped."""

from datetime import UTC, datetime
from html import escape

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2
from services.domain.channels import PUBLIC_NAMES

_EXCERPT = 140
_TITLE = 120
_EMPTY = (
    '<div class="empty"><strong>Nothing was sent yet</strong>'
    '<p>Order something in the <a href="/demo">shop</a>: its e-mail and its text message appear here.</p></div>'
)
_ACORN = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2c-1 0-1.6.6-1.7 1.5C7 4 4.5 6 4 8.5h16c-.5-2.5-3-4.5'
    '-6.3-5C13.6 2.6 13 2 12 2zM5 10.5c0 5.5 3 9.5 7 11.5 4-2 7-6 7-11.5z"/></svg>'
)
_NAVIGATION = (
    f'<header class="top"><a class="brand" href="/demo">{_ACORN}Acorn Shop</a>'
    '<nav aria-label="Demo"><a href="/demo">Shop</a><a href="/demo/outbox" aria-current="page">'
    "Outbox</a></nav></header>"
)


def listed(messages: list[senders_pb2.OutboxMessage], older: str) -> str:
    """Return the page of a list, newest first. older: the cursor of the next page, empty: there is none."""
    rows = "".join(map(_row, messages))
    shown = f'<ol class="messages">{rows}</ol>' if rows else _EMPTY
    more = f'<p><a class="button quiet" href="?cursor={escape(older)}">Older</a></p>' if older else ""
    lead = '<p class="lead">E-mails and text messages of this demo, as their recipients would see them.</p>'
    return document("Outbox", f'<div class="head"><h1>Outbox</h1>{lead}</div>{shown}{more}')


def message(found: senders_pb2.OutboxMessage, *, with_images: bool) -> str:
    """Return the page of one message. with_images: the frame may load images from other hosts."""
    is_mail = found.channel == event_pb2.CHANNEL_EMAIL
    title = _title(found) if is_mail else "Text message"
    facts = {
        "From": escape(found.sender),
        "To": escape(found.recipient),
        "Reply-To": escape(found.reply_to),
        "Subject": escape(found.subject),
        "Sent": _time(found),
        "By": escape(found.via),
        "Event": f'<a href="/console/messages/{escape(found.event_id)}">{escape(found.event_id)}</a>',
        "Delivery": escape(found.delivery_id),
        "Trace": escape(found.trace_id),
    }
    head = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts.items() if value)
    parts = [
        f'<div class="head"><p><a href="/demo/outbox">← Outbox</a></p><h1>{escape(title)}</h1></div>',
        f'<section aria-labelledby="headers"><h2 id="headers">Headers</h2><dl class="facts">{head}</dl></section>',
    ]
    if found.html:
        parts.append(_frame(found, with_images=with_images))
    parts.append(f'<section aria-labelledby="text"><h2 id="text">Text</h2><pre>{escape(found.text)}</pre></section>')
    if found.html:
        parts.append(
            '<details class="curl"><summary>HTML source</summary>'
            f'<pre tabindex="0">{escape(found.html)}</pre></details>'
        )
    return document(title, "".join(parts))


def sorry(title: str, text: str) -> str:
    """Return a page with one sentence."""
    back = '<p><a href="/demo/outbox">Back to the outbox</a></p>'
    return document(title, f'<div class="head"><h1>{escape(title)}</h1><p class="lead">{escape(text)}</p>{back}</div>')


def document(title: str, body: str) -> str:
    """Return a whole page."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · Acorn Shop</title>"
        '<link rel="stylesheet" href="/demo/demo.css"><link rel="icon" href="/demo/bell.svg">'
        '<script type="module" src="/demo/outbox.js"></script></head>'
        f"<body>{_NAVIGATION}<main>{body}</main></body></html>"
    )


def iso(found: senders_pb2.OutboxMessage) -> str:
    """Return when a message was recorded, in ISO 8601 to the millisecond."""
    moment = datetime.fromtimestamp(found.recorded_at_us / 1_000_000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _row(found: senders_pb2.OutboxMessage) -> str:
    is_mail = found.channel == event_pb2.CHANNEL_EMAIL
    excerpt = _shortened(" ".join(found.text.split()), _EXCERPT) if is_mail else ""
    return (
        f'<li class="message"><span class="badge{"" if is_mail else " sms"}">'
        f"{escape(PUBLIC_NAMES.get(found.channel, ''))}</span>"
        f'<span class="what"><a href="/demo/outbox/{escape(found.id)}">{escape(_title(found))}</a>'
        f"{f'<span class=excerpt>{escape(excerpt)}</span>' if excerpt else ''}</span>"
        f'<span class="to">{escape(found.recipient)}</span>{_time(found)}</li>'
    )


def _frame(found: senders_pb2.OutboxMessage, *, with_images: bool) -> str:
    source = f"/demo/outbox/{escape(found.id)}/html{'?images=shown' if with_images else ''}"
    note, link = (
        ("Images from other hosts are shown.", '<a href="?">Hide them</a>')
        if with_images
        else ("Images from other hosts are not loaded.", '<a href="?images=shown">Show them</a>')
    )
    return (
        '<section aria-labelledby="html"><div class="bar"><h2 id="html">As its reader sees it</h2>'
        f'<p class="aside">{note} {link}</p></div>'
        f'<iframe sandbox="" src="{source}" title="The e-mail"></iframe></section>'
    )


def _title(found: senders_pb2.OutboxMessage) -> str:
    return _shortened(found.subject or found.text, _TITLE) or "(empty)"


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _time(found: senders_pb2.OutboxMessage) -> str:
    moment = datetime.fromtimestamp(found.recorded_at_us / 1_000_000, UTC)
    shown = moment.strftime("%d %b %Y, %H:%M UTC")
    return f'<time datetime="{iso(found)}" title="{iso(found)}">{shown}</time>'
