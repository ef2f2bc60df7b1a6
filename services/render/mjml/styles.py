"""<mj-style inline="inline">: rules written into the elements that they are for."""


def inlined(markup: str, css: str) -> str:
    """Return the document with css in its style attributes, in front of what these say already."""
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
    return inliner.inline(markup)
