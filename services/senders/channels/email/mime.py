"""An e-mail as the bytes that travel (RFC 5322, 2045 to 2047, 6532): written by hand, so nothing is left to chance.

Bodies are quoted-printable and headers ASCII, so any server can carry it; only an address in another
script brings UTF-8 into a header, and with it the need for SMTPUTF8.
"""

import base64
import binascii
import email.utils
import re

from services.senders.channels.email.headers import own_headers
from services.senders.ports import Address, Email

# Every "=" in a quoted-printable body starts "=XX" or ends a line, so "=_" never stands in one.
_BOUNDARY_START = "=_"
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LINE = 76
_MAX_WORD = 900  # a line may have 998
_CHUNK_BYTES = 39  # of an encoded word: 52 characters of base64, 64 in all


def to_bytes(message: Email) -> bytes:
    """Return the message with CRLF line ends, without a final one."""
    headers = [
        _mailbox("From", message.sender_name, message.sender),
        f"To: {message.recipient}",
        *([f"Reply-To: {message.reply_to}"] if message.reply_to else []),
        f"Subject: {_unstructured(message.subject, len('Subject: '))}",
        f"Date: {email.utils.format_datetime(message.date)}",
        f"Message-ID: {message.message_id}",
        *(f"{name}: {value}" for name, value in own_headers(message).items()),
        "MIME-Version: 1.0",
    ]
    return "\r\n".join([*headers, *_body(message)]).encode()


def _body(message: Email) -> list[str]:
    """The rest of the message: its last headers, an empty line, the content."""
    if not message.html:
        return _part("plain", message.text)
    if not message.text:
        return _part("html", message.html)
    boundary = f"{_BOUNDARY_START}{message.reference.delivery_id.replace('-', '')}"
    return [
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
        "",
        f"--{boundary}",
        *_part("plain", message.text),
        f"--{boundary}",
        *_part("html", message.html),
        f"--{boundary}--",
    ]


def _part(subtype: str, text: str) -> list[str]:
    # It breaks lines as the first line ends: with a line end added, always as CRLF.
    encoded = binascii.b2a_qp((text.replace("\n", "\r\n") + "\r\n").encode(), istext=True)
    return [
        f'Content-Type: text/{subtype}; charset="utf-8"',
        "Content-Transfer-Encoding: quoted-printable",
        "",
        encoded.decode("ascii").removesuffix("\r\n"),
    ]


def _mailbox(name: str, display_name: str, address: Address) -> str:
    if not display_name:
        return f"{name}: {address}"
    if not _is_plain(display_name):
        phrase = _encoded_words(display_name)
    elif _ATOMS.fullmatch(display_name):
        phrase = display_name
    else:
        phrase = '"' + display_name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{name}: {phrase}\r\n <{address}>"


def _unstructured(text: str, used: int) -> str:
    """Fold text over lines, or encode it where it is not plain ASCII. used: how much of the first line is taken."""
    words = re.findall(r" *[^ ]+", text)
    if not _is_plain(text) or any(len(word) > _MAX_WORD for word in words):
        return _encoded_words(text)
    lines = [""]
    for word in words:
        # A fold stands before a blank; the very first word has none, so it stays.
        if word.startswith(" ") and used + len(word) > _LINE:
            lines.append("")
            used = 0
        lines[-1] += word
        used += len(word)
    return "\r\n".join(lines)


def _is_plain(text: str) -> bool:
    # What looks like an encoded word would be decoded by the reader: it is encoded, to arrive as it is.
    return text.isascii() and text.isprintable() and "=?" not in text


def _encoded_words(text: str) -> str:
    chunks: list[bytes] = [b""]
    for character in text:
        encoded = character.encode()
        if len(chunks[-1]) + len(encoded) > _CHUNK_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(chunk).decode()}?=" for chunk in chunks)
