"""The published page as it was found, and which row of our table holds each of its sentences."""

import re
from pathlib import Path

from tests.conformance.contract import Contract

HERE = Path(__file__).parent
PAGE = "events_send"
SEEDS = (PAGE,)
# What a sentence is when nothing on a server could hold it: it names or announces what follows, or tells readers what
# to do in their own programs.
NOT_HELD = frozenset({"heading", "introduction", "reader", "elsewhere"})

PAGES = Contract(HERE, SEEDS)

_HOST = "https://api.sendmator.com"
_KEY = "sk_live_your_api_key"
_TEAM = "your-team-id"
_CURL = re.compile(r"^curl -X POST .*?^}'$", re.MULTILINE | re.DOTALL)


def curls() -> list[str]:
    """Return the five calls of the page as they are printed, in their order."""
    return _CURL.findall(PAGES.read_seed(PAGE))


def ours(text: str, url: str, key: str, team: str) -> str:
    """Return a printed program with our host, key and team."""
    return text.replace(_HOST, url).replace(_KEY, key).replace(_TEAM, team)


def body_of(curl: str) -> bytes:
    """Return the body that a printed call sends."""
    return curl.split("-d '", 1)[1].removesuffix("'").encode()


def between(begin: str, end: str) -> str:
    """Return the text of the page from one text up to the next one."""
    page = PAGES.read_seed(PAGE)
    start = page.index(begin)
    return page[start : page.index(end, start)]
