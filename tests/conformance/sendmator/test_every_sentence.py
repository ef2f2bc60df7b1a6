"""sentences.tsv holds every sentence of the page, and every row that it names is there."""

from tests.conformance.sendmator import contract

# What these hold is not on the page: it is the specification of the rest of the API.
_BEYOND = ("client.", "contacts.", "errors.", "every_sentence.", "messages.", "shared_path.", "workflows.")


def test_no_sentence_is_missing() -> None:
    """Every one is listed, in order, with the words it begins with."""
    contract.PAGES.assert_nothing_missing(contract.PAGE)


def test_every_row_named_is_a_test_and_every_row_is_named() -> None:
    """Both ways, but for the rows about what other pages say."""
    contract.PAGES.assert_rows_exist(contract.NOT_HELD, _BEYOND)
