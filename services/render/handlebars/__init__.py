"""Handlebars for templates that strangers write.

A template becomes a tree, the tree becomes closures over plain data (dict, list, str, int, float, bool,
None): no Python source is generated and no attribute is read, so a template can name data and nothing else.
"""

from services.render.handlebars.compiler import Template, compile_template
from services.render.handlebars.lexer import TemplateFaultError
from services.render.handlebars.output import Output, OutputTooLargeError, RenderTimeoutError
from services.render.handlebars.tree import Block, Program, Text

__all__ = [
    "Block",
    "Output",
    "OutputTooLargeError",
    "Program",
    "RenderTimeoutError",
    "Template",
    "TemplateFaultError",
    "Text",
    "compile_template",
]
