"""Where the hidden text for the inbox stands."""

import pytest

from services.render import content
from services.render.content import compile_source
from services.render.frames import EMAIL, TemplateSource
from services.render.preheader import with_preheader
from tests.counting import assert_linear


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        pytest.param("<!DOCTYPE html><html><head><title>T</title></head>", "<p>Hi</p></html>", id="no-body"),
        pytest.param('<html><body data-x="a>b">', "<p>Hi</p></body></html>", id="bracket-in-attribute"),
        pytest.param("<!doctype html>", "<p>Hi", id="doctype"),
        pytest.param("<!doctype html>\n<html lang=de>", "\n<p>Hi", id="no-head"),
        pytest.param("<html><head><title>a <body> b</title><style>p>b{}</style>", "<p>Hi", id="body-in-title"),
        pytest.param("<head><meta charset=utf-8><link href=x>", "Hi<body>", id="text-begins-it"),
        pytest.param("<title>T</title>", " <b>Hi", id="no-head-tags"),
        pytest.param("<body title='<body>'>", "Hi", id="tag-in-attribute"),
        pytest.param("<html><body\n/ class=a>", "Hi", id="odd-attributes"),
        pytest.param("<head></head><body>", "<body class=x>Hi", id="the-first"),
        pytest.param("<head><template><body></template></head>", "<p>Hi", id="template"),
        pytest.param("<html><noscript><body></noscript>", "<p>Hi", id="noscript"),
        pytest.param("", "<header>Hi</header>", id="header-is-no-head"),
        pytest.param("", "<title>no end <body>", id="endless-title"),
        pytest.param("<!doctype html>", "<body class='a", id="endless-tag"),
        pytest.param("<?xml version='1.0'?><!DOCTYPE html>", "<p>Hi", id="xml"),
    ],
)
def test_place(before: str, behind: str) -> None:
    """Behind the tag of the body as a browser reads it, else where a browser would begin one."""
    made = with_preheader(before + behind, "Look")
    assert made.startswith(before + "<div style=")
    assert made.endswith("</div>" + behind)


def test_the_text_part_stays() -> None:
    """It is not swallowed by a tag into which the preheader was put."""
    source = TemplateSource(EMAIL, "S", '<html><body data-x="a>b"><p>Hi</p></body></html>', preheader="Look")
    made = content.render(compile_source(source), {}, limit=100_000, deadline=content.deadline_after(60))
    assert made.text == "Hi"


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        pytest.param(
            '<!--[if mso]><body class="m"><![endif]--><!--[if !mso]><!--><body>', "<!--<![endif]--><p>", id="outlook"
        ),
        pytest.param("<!doctype html><!-- <body> --><BODY\nclass='a'>", "<p><body>", id="comment"),
        pytest.param("<!--><body>", "<!-- --><body>", id="empty-comment"),
        pytest.param("<!-- <body> --!><!---><body>", "<body>-->", id="odd-comments"),
        pytest.param("", "<p><!-- <body> -->", id="only-in-a-comment"),
        pytest.param("", "<p><!-- <body>", id="only-in-an-open-comment"),
    ],
)
def test_preheader_is_in_no_comment(before: str, behind: str) -> None:
    """Outlook's conditions are comments to everybody else: a body in one is not the mail's."""
    compiled = compile_source(TemplateSource(EMAIL, "S", before + behind, preheader="Look"))
    made = content.render(compiled, {}, limit=100_000, deadline=content.deadline_after(60))
    assert made.html.startswith(before + "<div")
    assert made.html.endswith("</div>" + behind)
    assert ">Look&#847;" in made.html


@pytest.mark.parametrize(
    "markup",
    [
        pytest.param("<!--" * 100_000, id="comments-without-end"),
        pytest.param("<!---" * 80_000 + "-->" * 10, id="dashes"),
        pytest.param("<body " * 80_000, id="bodies-without-end"),
        pytest.param("<body" + " " * 400_000, id="one-endless-body"),
    ],
)
@pytest.mark.timeout(60)
def test_a_body_is_looked_for_in_linear_time(markup: str) -> None:
    """Whatever the mail is made of: at quadratic work these never end."""
    assert with_preheader(markup, "Look").endswith(markup)
    assert_linear(lambda size: with_preheader(markup[:size], "Look"))
