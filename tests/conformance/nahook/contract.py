"""The published page as it was found, and which row of our table holds each of its sentences."""

from pathlib import Path

from tests.conformance.contract import Contract

HERE = Path(__file__).parent
SEEDS = ("trigger",)
# What a sentence is when nothing on a server could hold it: it names or announces what follows, or tells readers what
# to do in their own programs.
NOT_HELD = frozenset({"heading", "introduction", "reader"})

PAGES = Contract(HERE, SEEDS)
