"""What sandbox providers received."""

from collections.abc import Mapping

from clarion.common.v1 import event_pb2
from clarion.senders.v1 import senders_pb2, senders_pb2_grpc
from runtime.grpc import Caller, channel


class Outbox:
    """What the sandbox holds of an event, with HTML."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._address = variables["CLARION_SENDERS_ADDRESS"]
        self._call = Caller(variables["CLARION_SERVICE_TOKEN"])

    async def __call__(self, tenant_id: str, event_id: str) -> dict[str, senders_pb2.OutboxMessage]:
        """Return the messages by channel; a second one of a channel is an error."""
        async with channel(self._address) as connection:
            stub = senders_pb2_grpc.OutboxServiceStub(connection)
            request = senders_pb2.ListMessagesRequest(tenant_id=tenant_id, event_id=event_id)
            answer = await self._call(stub.ListMessages, request, deadline=30)
            found = {}
            for message in answer.messages:
                whole = await self._call(
                    stub.GetMessage, senders_pb2.GetMessageRequest(message_id=message.id), deadline=30
                )
                name = event_pb2.Channel.Name(message.channel).removeprefix("CHANNEL_")
                assert name not in found, f"two messages by {name}"
                found[name] = whole.message
            return found
