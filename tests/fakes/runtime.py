"""What work holds while it waits for a part, in memory."""

from dataclasses import dataclass


@dataclass
class Room:
    """Implements parts.Aside: one of several that share places. most: how many places there are."""

    places: list[str]
    most: int
    name: str

    def set_aside(self) -> bool:
        """Take a place; False: there is none."""
        if self.name in self.places:
            return True
        if len(self.places) >= self.most:
            return False
        self.places.append(self.name)
        return True

    def take_back(self) -> None:
        """Leave it."""
        if self.name in self.places:
            self.places.remove(self.name)
