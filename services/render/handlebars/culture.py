"""Whose language and clock a rendering follows. Helpers read it; nothing is loaded before one does."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Culture:
    """locale: such as "pt-BR"; empty: English. time_zone: IANA's name; empty: UTC."""

    locale: str = ""
    time_zone: str = ""
