"""Measures rendering, and bare pybars3 and mjml-python in the same run: `python -m bench.render`."""
