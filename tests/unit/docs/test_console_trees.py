"""What is kept of an accessibility tree, and what is left out."""

from tests.e2e.console.screens import Screen
from tests.e2e.console.trees import outlined

_SNAPSHOT = """\
- link "Clarion":
  - /url: /console/messages?tenant=01a22a00-a488-744a-b5b9-fea29720d7a8
- main:
  - heading "It''s" [level=1]
  - paragraph:
    - text: some words
    - button "Copy 01a22a00-a488-744a-b5b9-fea29720d7a8" [disabled]
  - list:
    - listitem: only words
  - term: Sender
  - definition: us@tenant.example
  - 'combobox "Where: here"':
    - option "One" [selected]
  - table "Messages":
    - rowgroup:
      - row "Name State":
        - columnheader "Name"
        - columnheader "State"
    - rowgroup:
      - 'row "Ada: sent"':
        - cell "Ada":
          - link "Ada":
            - /url: /ada
        - cell "sent"
      - row "Bob sent":
        - cell "Bob":
          - link "Bob"
  - button "Show more"
- region "Notifications"
"""


def _screen(snapshot: str = _SNAPSHOT, **more: bool) -> list[str]:
    return outlined(snapshot, Screen("messages", "/messages", **more)).screen.splitlines()


def test_names_states_and_headers_are_kept() -> None:
    """Texts, values, options and addresses are data; ids differ from run to run."""
    assert _screen() == [
        "- main",
        "  - heading \"It''s\" [level=1]",
        '  - button "Copy <id>" [disabled]',
        "  - term: Sender",
        '  - combobox "Where: here"',
        '  - table "Messages"',
        '    - columnheader "Name"',
        '    - columnheader "State"',
        '    - link "Ada"',
        '  - button "Show more"',
    ]


def test_of_everybodys_objects_no_row_is_kept() -> None:
    """Other tests make some, too."""
    assert not [line for line in _screen(lists_all=True) if "Ada" in line or "Show more" in line]
    assert _screen('- main:\n  - list:\n    - listitem:\n      - link "Acorn Shop"', lists_all=True) == ["- main"]
    assert '    - columnheader "State"' in _screen(lists_all=True)


def test_the_frame_is_kept_apart() -> None:
    """It is the same around each screen; people without a session see none."""
    assert outlined(_SNAPSHOT, Screen("a", "/a")).frame == '- link "Clarion"\n- main\n- region "Notifications"\n'
    assert outlined(_SNAPSHOT, Screen("a", "/a", signed_out=True)).frame == ""


def test_a_name_that_is_lost_changes_the_tree() -> None:
    """A button without a name, a heading of another level, a header that is a cell."""
    for was, becomes in (
        ('button "Show more"', "button"),
        ("[level=1]", "[level=2]"),
        ('columnheader "State"', 'cell "State"'),
    ):
        assert _screen(_SNAPSHOT.replace(was, becomes)) != _screen()
