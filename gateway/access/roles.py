"""The roles of people and tokens."""

from enum import IntEnum


class Role(IntEnum):
    """What somebody may do, rising; the numbers are those of clarion.ingest.v1.ConsoleRole."""

    VIEWER = 1
    DEVELOPER = 2
    OPERATOR = 3
    OWNER = 4

    @property
    def word(self) -> str:
        """The role as the API spells it."""
        return self.name.lower()


BY_WORD = {role.word: role for role in Role}
