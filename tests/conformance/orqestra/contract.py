"""The two published pages as they were found, and which row of our table holds each of their sentences."""

from pathlib import Path

from tests.conformance.contract import Contract

HERE = Path(__file__).parent
SEEDS = ("sending-events", "api-reference")
# What a sentence is when nothing on a server could hold it: it names or announces what follows, tells readers how to
# keep their own house, or where to click.
NOT_HELD = frozenset({"heading", "introduction", "reader", "console"})

PAGES = Contract(HERE, SEEDS)
read_seed = PAGES.read_seed
between = PAGES.between
