"""The since and until parameters of lists."""

from runtime.errors import ClarionError, Code


def check_time_range(since_us: int, until_us: int) -> None:
    """Raise INVALID if since is later than until. Unix microseconds, negative before 1970; 0: no bound."""
    if since_us and until_us and since_us > until_us:
        fault = ("since", "must not be later than until")
        raise ClarionError(Code.INVALID, " ".join(fault), fields=[fault])
