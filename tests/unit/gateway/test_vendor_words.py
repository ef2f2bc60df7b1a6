"""The core, and the gateway around the dialects, name no vendor and use no vendor's words."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

_ROOT = Path(__file__).parents[3]
_FOLDERS = ("services", "runtime", "proto", "gateway")
_DIALECTS = "gateway/dialects"

# Files that still use such a word. Delete a line when its file no longer does: until then a test here fails.
_STILL_THERE = (
    # Stays: what open pages have received since the first version, byte for byte. Services import no dialect.
    "services/realtime/publication.py",
)


class Word(NamedTuple):
    """A word of one vendor. home: the name of the dialect's folder, the only one where it may stand.

    shared_with: the folder of another dialect whose vendor uses it, too.
    """

    home: str
    pattern: str
    reason: str
    shared_with: str = ""


_WORDS = (
    Word("orqestra", "(?i)orqestra", "the vendor's name, also in its header for signatures"),
    Word("nahook", "(?i)nahook", "the vendor's name"),
    Word("novu", r"(?i)\bnovu\b", "the vendor's name"),
    Word("sendmator", "(?i)sendmator", "the vendor's name"),
    Word("orqestra", r"\brecipient(Email|Phone)\b", "a key of its payload: the core has a recipient with addresses"),
    Word("orqestra", r"\buserId\b", "a key of its payload: the core says user_id"),
    # Not data.eventType: the demo is a page as a customer writes it, and reads publications.
    Word("orqestra", r"(?<!\.)\beventType\b", "its name for the event type, in a body or a sentence", "nahook"),
    Word("orqestra", "(?i)x-idempotency-key", "its header: the core has a dedupe key, without a header's name"),
    Word("orqestra", "Rate limit exceeded", "its sentence for a limit: the core says which limit was reached"),
    Word("orqestra", "dispatched securely", "its sentence for an accepted event"),
    Word("orqestra", "not found or access denied", "its sentence for another's notification"),
    Word("orqestra", "IN_APP_ALERT", "the type of its publications"),
    Word("nahook", r"\bnh[km]_", "how its keys and tokens begin: the dialect tells the others"),
    Word("nahook", "/api/ingest|/management/v1|/api/workspaces", "one of its paths"),
    Word("nahook", r"\b(endpoint|eventType|delivery)Ids?\b", "its name for an id, in a body or a sentence"),
    Word("nahook", r"\bidempotencyKey\b", "a field of its bodies: the core has a dedupe key"),
    Word("nahook", r"\b(isActive|maxEndpoints|showEventTypes)\b", "a field of its endpoints or applications"),
    Word("nahook", r"\b(token_disabled|ingest_timeout|rate_limited)\b", "a code of its errors"),
    Word("nahook", "application_endpoint_limit_reached", "a code of its errors"),
    Word("nahook", r"\bscheduled_retry\b", "a status of its deliveries: the core says retrying"),
    Word("sendmator", r"\bsk_(live|test)_", "how its keys begin: the dialect tells the others"),
    Word("sendmator", "(?i)x-team-id", "its header: the core has a scope"),
    Word("sendmator", r"\b(user_info|contact_external_id|trigger_at)\b", "a field of its bodies"),
    Word("sendmator", r"\b(delay_minutes|cooldown_seconds|channel_type|step_order)\b", "a field of its workflows"),
    Word("sendmator", "Event type not found|Invalid team context|Event name is required", "a sentence of its errors"),
    Word("sendmator", "queued successfully", "its sentence for what was accepted"),
)


def lines_of(path: Path) -> list[str]:
    """Return the path and then the lines of a text file; of another file only the path."""
    content = path.read_bytes()
    return [path.relative_to(_ROOT).as_posix(), *([] if b"\0" in content else content.decode("utf-8").splitlines())]


def text_files() -> Iterator[Path]:
    """Yield the files of the four folders, without what npm and Python put there."""
    for folder in _FOLDERS:
        for parent, folders, names in os.walk(_ROOT / folder):
            folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith("node_modules")]
            yield from (Path(parent, name) for name in names)


@pytest.fixture(scope="module")
def found() -> list[tuple[str, str]]:
    """Return the path of each line with a word that has its home elsewhere, and what to say about it."""
    patterns = [
        (
            tuple(f"{_DIALECTS}/{home}/" for home in (word.home, word.shared_with) if home),
            re.compile(word.pattern),
            word.reason,
        )
        for word in _WORDS
    ]
    return [
        (path, f"{path}:{number}: {match[0]!r} is {reason}")
        for path, *lines in map(lines_of, text_files())
        for number, line in enumerate([path, *lines])
        for homes, pattern, reason in patterns
        if not path.startswith(homes) and (match := pattern.search(line))
    ]


def test_a_vendors_words_stay_in_its_folder(found: list[tuple[str, str]]) -> None:
    """Each line that breaks the rule is named; line 0 is the file's own path."""
    assert [told for path, told in found if path not in _STILL_THERE] == []


def test_each_exception_is_still_needed(found: list[tuple[str, str]]) -> None:
    """A file that is neutral now is no exception any more: its words could come back unseen."""
    assert set(_STILL_THERE) - {path for path, _ in found} == set()


@pytest.mark.parametrize(
    "word", [word for word in _WORDS if word.home in {"orqestra", "nahook", "sendmator"}], ids=lambda word: word.pattern
)
def test_a_word_is_one_that_its_vendor_uses(word: Word) -> None:
    """A pattern that matches nothing in the docs and the tests of the contract is misspelt and guards nothing."""
    pages = [*(_ROOT / "docs").glob("*.md"), *(_ROOT / "tests/conformance" / word.home).rglob("*.*")]
    assert any(re.search(word.pattern, line) for page in pages if page.is_file() for line in lines_of(page)[1:])
