"""Handlebars for templates that strangers write.

A template becomes a tree, the tree becomes closures over plain data (dict, list, str, int, float, bool,
None): no Python source is generated and no attribute is read, so a template can name data and nothing else.
Partials are texts handed to compile_template(), so they are fixed with the template.
"""

from services.render.handlebars.compiler import CompiledTemplate, compile_template
from services.render.handlebars.culture import Culture
from services.render.handlebars.helper import BUILT_IN, Helper, Options
from services.render.handlebars.lexer import TemplateFaultError
from services.render.handlebars.output import Output, OutputTooLargeError, RenderTimeoutError
from services.render.handlebars.tree import BlockStatement, ContentStatement, InlinePartial, PartialStatement, Program

__all__ = [
    "BUILT_IN",
    "BlockStatement",
    "CompiledTemplate",
    "ContentStatement",
    "Culture",
    "Helper",
    "InlinePartial",
    "Options",
    "Output",
    "OutputTooLargeError",
    "PartialStatement",
    "Program",
    "RenderTimeoutError",
    "TemplateFaultError",
    "compile_template",
]
