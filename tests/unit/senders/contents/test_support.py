"""Hints about HTML that mail programs do not support."""

import pytest

from services.senders.contents import support

_FOUND = {
    "too_long": "<p>" + "x" * support.GMAIL_BYTES + "</p>",
    "script": "<script>alert(1)</script>",
    "event_handler": '<a href="https://a.example" onclick="x()">x</a>',
    "form": "<form></form>",
    "external_css": '<link rel="stylesheet" href="https://a.example/x.css">',
    "import": "<style>@import 'x.css';</style>",
    "video": "<video></video>",
    "iframe": "<iframe></iframe>",
    "svg": "<svg></svg>",
    "css_position": '<div style="position: absolute">x</div>',
    "css_flex": "<style>.a{display:flex}</style>",
    "css_grid": '<div style="display:grid">x</div>',
    "css_background_image": '<td style="background: #fff url(https://a.example/x.png)">x</td>',
    "css_variables": '<div style="color: var(--ink)">x</div>',
    "css_calc": '<div style="width: calc(100% - 3px)">x</div>',
    "css_animation": "<style>@keyframes x{}</style>",
    "web_font": "<style>@font-face{}</style>",
    "data_image": '<img alt="" src="data:image/png;base64,AAAA">',
    "image_without_alt": '<img src="https://a.example/x.png">',
    "relative_link": '<a href="/orders">x</a>',
    "large_style": "<style>" + ".a{color:#fff}" * 700 + "</style>",
}


@pytest.mark.parametrize("rule", list(support.TEXTS))
def test_each_rule_finds_its_case(rule: str) -> None:
    """And no other rule finds it."""
    assert [note.rule for note in support.notes(_FOUND[rule])] == [rule]


@pytest.mark.parametrize(
    "html",
    [
        "",
        '<p style="color:#fff;background-position:0 0;background:#000">x</p>',
        '<img alt="" src="https://a.example/x.png"><a href="mailto:a@b.example">x</a><a href="#top">x</a><a>x</a>',
        "<!--[if mso]><v:rect style='position:absolute'></v:rect><![endif]-->",
        "the words position: absolute in a text",
        "<",
        '<p style="\x00">',
    ],
)
def test_what_is_supported_has_no_note(html: str) -> None:
    """Nor do comments for Outlook, or words in a text."""
    assert support.notes(html) == []


def test_a_note_counts() -> None:
    """How often it was found."""
    (note,) = support.notes("<video></video><audio></audio>" * 2)
    assert (note.rule, note.times) == ("video", 4)
