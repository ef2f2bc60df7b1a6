"""<mj-style inline="inline">: rules written into the elements that they are for."""

import re

_STYLE_END = re.compile("</(?=style)", re.IGNORECASE)


def inlined(markup: str, css: str) -> str:
    """Return the document with css in its style attributes, in front of what these say already.

    Where a style attribute cannot be read, css stands in the head: data must not fail a mail.
    """
    if not css or css.isspace():
        return markup
    # Only who inlines needs it.
    import css_inline

    inliner = css_inline.CSSInliner(
        inline_style_tags=False,
        keep_style_tags=True,
        keep_link_tags=True,
        load_remote_stylesheets=False,
        extra_css=css,
    )
    try:
        return inliner.inline(markup)
    except css_inline.InlineError:
        kept = _STYLE_END.sub(r"<\\/", css)
        return markup.replace("</head>", f'<style type="text/css">{kept}</style></head>', 1)
