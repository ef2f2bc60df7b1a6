"""<mj-style inline="inline">: writes rules into the style attributes of the elements that they select."""

import re

_STYLE_END = re.compile("</(?=style)", re.IGNORECASE)


def inlined(markup: str, css: str) -> str:
    """Return the document with css in its style attributes, before the declarations that are there.

    If a style attribute cannot be read, css is put into the head: data must not make a mail fail.
    """
    if not css or css.isspace():
        return markup
    # Loaded only if it is needed.
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
