"""sentences.tsv holds every sentence of the two pages, and every row that it names is there."""

import pytest

from tests.conformance.orqestra import contract


@pytest.mark.parametrize("seed", contract.SEEDS)
def test_no_sentence_is_missing(seed: str) -> None:
    """Every one is listed, in order, with the words it begins with."""
    contract.PAGES.assert_nothing_missing(seed)


def test_every_row_named_is_a_test_and_every_row_is_named() -> None:
    """Both ways, but for the rows about what the pages leave open."""
    contract.PAGES.assert_rows_exist(contract.NOT_HELD, ("silences.", "every_sentence."))
