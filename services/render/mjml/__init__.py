"""MJML to HTML, for markup that strangers write and data that other strangers send.

``convert.py`` is the way of a document. Content of MJML's ending tags is HTML, which the converter never sees
(``endings.py``); what data have made of the rest is put right where the converter refuses it (``repair.py``).
"""

from services.render.mjml.convert import check, is_mjml, to_html
from services.render.mjml.faults import MjmlError
from services.render.mjml.preview import preview, without_preview

__all__ = ["MjmlError", "check", "is_mjml", "preview", "to_html", "without_preview"]
