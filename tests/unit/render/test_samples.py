"""What a sample may be."""

import pytest

from runtime.errors import ClarionError, Code
from services.render.samples.samples import MAX_VARIABLES_BYTES, NewSample, SampleLibrary
from tests.fakes.render_samples import MemorySamples


@pytest.mark.parametrize(
    ("new", "field"),
    [
        pytest.param(NewSample("platform", "a", "n", b"{}"), "tenant_id", id="tenant"),
        pytest.param(NewSample("", "", "n", b"{}"), "event_type", id="no-event-type"),
        pytest.param(NewSample("", "a\nb", "n", b"{}"), "event_type", id="event-type-of-two-lines"),
        pytest.param(NewSample("", "a", "", b"{}"), "name", id="no-name"),
        pytest.param(NewSample("", "a", " n", b"{}"), "name", id="spaces"),
        pytest.param(NewSample("", "a", "n" * 65, b"{}"), "name", id="long-name"),
        pytest.param(NewSample("", "a", "n\0", b"{}"), "name", id="nul"),
        pytest.param(NewSample("", "a", "n", b"[]"), "variables", id="list"),
        pytest.param(NewSample("", "a", "n", b"{"), "variables", id="no-json"),
        pytest.param(NewSample("", "a", "n", b"\xff"), "variables", id="no-utf8"),
        pytest.param(NewSample("", "a", "n", b"[" * 200_000), "variables", id="long"),
        pytest.param(NewSample("", "a", "n", b'{"a":' * 9000), "variables", id="deep"),
    ],
)
async def test_faults_have_their_field(new: NewSample, field: str) -> None:
    """INVALID, and nothing is stored."""
    store = MemorySamples()
    with pytest.raises(ClarionError) as refused:
        await SampleLibrary(store).create(new)
    assert refused.value.code is Code.INVALID
    assert [name for name, _ in refused.value.fields] == [field]
    assert not store.kept


async def test_the_largest_sample_is_stored() -> None:
    """A byte more is not, also when it is changed."""
    library = SampleLibrary(MemorySamples())
    largest = b'{"a":"' + b"x" * (MAX_VARIABLES_BYTES - 8) + b'"}'
    kept = await library.create(NewSample("t1", "a", "n", largest))
    assert kept.sample.variables == largest
    with pytest.raises(ClarionError) as refused:
        await library.update(kept.id, "t1", "n", largest + b" ")
    assert [name for name, _ in refused.value.fields] == ["variables"]
