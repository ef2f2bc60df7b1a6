"""Builds the console, `console/`, which the gateway serves at /console."""

from pathlib import Path

from stack import built
from stack.built import DIST, source_hash
from stack.node import ROOT, Report

__all__ = ["DIST", "FOLDER", "build", "is_built", "source_hash"]

FOLDER = ROOT / "console"


def is_built(folder: Path = FOLDER) -> bool:
    """Return whether it was built from its sources as they are now."""
    return built.is_built(folder)


def build(report: Report, folder: Path = FOLDER) -> None:
    """Build it unless that is done. Blocking. Raises NodeError."""
    built.build(report, folder, "building the console (about a minute, once)")
