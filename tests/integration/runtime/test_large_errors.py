"""Errors that are larger than what a call's metadata may have."""

from typing import Any

import pytest

from clarion.router.v1 import workflows_pb2, workflows_pb2_grpc
from runtime import grpc
from runtime.errors import ClarionError, Code
from tests.conftest import free_port

_SERVICE, _TOKEN = "clarion.router.v1.WorkflowService", "t" * 32


class _Refusing(workflows_pb2_grpc.WorkflowServiceServicer):
    """Finds many faults in everything."""

    def __init__(self, faults: int, word: str) -> None:
        self._fields = [(f"document.steps[{number}]", f"must not be {word * 100}") for number in range(faults)]

    async def CheckWorkflow(  # noqa: N802 - the RPC's name
        self, request: Any, context: Any
    ) -> workflows_pb2.CheckWorkflowResponse:
        """Refuse."""
        sentence = "; ".join(f"{field} {description}" for field, description in self._fields)
        raise ClarionError(Code.INVALID, sentence, fields=self._fields)


@pytest.mark.parametrize("word", ["x", "é"])
@pytest.mark.parametrize(("faults", "is_whole"), [(5, True), (500, False)])
async def test_a_caller_gets_the_beginning_of_a_large_error(faults: int, word: str, *, is_whole: bool) -> None:
    """Its code, and as many of its fields as there is room for: else it would get none of them."""
    address = f"127.0.0.1:{free_port()}"
    servicer = _Refusing(faults, word)  # type: ignore[abstract]
    server = grpc.GrpcServer(address, token=_TOKEN)
    server.add(workflows_pb2_grpc.add_WorkflowServiceServicer_to_server, servicer, _SERVICE)
    await server.start()
    connection = grpc.channel(address)
    try:
        check = workflows_pb2_grpc.WorkflowServiceStub(connection).CheckWorkflow
        with pytest.raises(ClarionError) as refused:
            await grpc.Caller(_TOKEN)(check, workflows_pb2.CheckWorkflowRequest(), deadline=5.0, wait_for_ready=True)
    finally:
        await connection.close()
        await server.stop(0)
    error = refused.value
    assert error.code is Code.INVALID
    assert (list(error.fields) == servicer._fields) is is_whole
    assert list(error.fields) == servicer._fields[: len(error.fields)]
    assert len(error.fields) >= 5
    assert error.detail.startswith("document.steps[0] must not be ")
