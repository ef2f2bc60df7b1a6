"""The names of the channels in all APIs of the gateway."""

from clarion.common.v1 import event_pb2

CHANNELS: "dict[str, event_pb2.Channel.ValueType]" = {
    "EMAIL": event_pb2.CHANNEL_EMAIL,
    "SMS": event_pb2.CHANNEL_SMS,
    "PUSH": event_pb2.CHANNEL_PUSH,
}
NAMES = {number: name for name, number in CHANNELS.items()}
