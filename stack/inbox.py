"""Builds the inbox component, `inbox/`, which the gateway serves at /inbox."""

from stack import built
from stack.built import DIST
from stack.node import ROOT, Report

__all__ = ["DIST", "FOLDER", "build", "is_built"]

FOLDER = ROOT / "inbox"


def is_built() -> bool:
    """Return whether it was built from its sources as they are now."""
    return built.is_built(FOLDER)


def build(report: Report) -> None:
    """Build it unless that is done. Blocking. Raises NodeError."""
    built.build(report, FOLDER, "building the inbox component (some seconds, once)")
