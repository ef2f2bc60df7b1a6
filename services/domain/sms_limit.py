"""How many segments a text message may have: providers bill each of them."""

# Where the tenant sets no limit of its own.
DEFAULT_MAX_SEGMENTS = 10
# More parts cannot be numbered (3GPP TS 23.040, 9.2.3.24.1).
LARGEST_MAX_SEGMENTS = 255


def too_long(segments: int, encoding: str, limit: int) -> str:
    """Return the sentence that says why a text of so many segments is not sent; empty: it is within the limit."""
    if segments <= limit:
        return ""
    return f"The text would be billed as {segments:,} segments ({encoding}); the tenant's limit is {limit}."
