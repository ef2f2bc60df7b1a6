"""pybars3 as a template engine, made safe for templates that strangers write.

Every template is first compiled by services/render/handlebars: that finds its faults with their places, and bounds it.
Then pybars3 parses it, writes Python from it and renders with that Python, behind the walls of guard.py.
"""

from services.render.pybars3.engine import compile_template
from services.render.pybars3.limits import limited

__all__ = ["compile_template", "limited"]
