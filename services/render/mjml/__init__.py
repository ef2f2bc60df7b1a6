"""Converts MJML to HTML. Markup and data are hostile.

``convert.py`` converts a document. The content of MJML's ending tags is HTML, which the converter never sees
(``endings.py``). If data broke the rest, so that the converter refuses it, it is repaired (``repair.py``).
"""

from services.render.mjml.convert import check, is_mjml, to_html
from services.render.mjml.faults import MjmlError
from services.render.mjml.preview import preview, without_preview

__all__ = ["MjmlError", "check", "is_mjml", "preview", "to_html", "without_preview"]
