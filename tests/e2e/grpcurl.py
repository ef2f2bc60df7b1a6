"""What grpcurl does, by reflection alone: `python -m tests.e2e.grpcurl -plaintext [-H h]... [-d json] ADDRESS METHOD`.

Stands in for the real one in the test of docs/grpc.md where there is none.
"""

import argparse
from typing import Any

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


def call(address: str, method: str, body: str, headers: list[str]) -> str:
    """Return the answer as JSON. Raises grpc.RpcError."""
    parts = (line.partition(":") for line in headers)
    metadata = tuple((name.strip().lower(), value.strip()) for name, _, value in parts)
    with grpc.insecure_channel(address) as channel:
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        service, _, name = method.partition("/")
        described = pool.FindServiceByName(service).FindMethodByName(name)
        request = message_factory.GetMessageClass(described.input_type)()
        answer_type = message_factory.GetMessageClass(described.output_type)
        json_format.Parse(body, request)
        rpc: Any = channel.unary_unary(
            f"/{method}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=answer_type.FromString,
        )
        return json_format.MessageToJson(rpc(request, timeout=10, metadata=metadata))


def main() -> None:
    """Read grpcurl's arguments."""
    parser = argparse.ArgumentParser(prog="grpcurl")
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", default="{}", dest="body")
    parser.add_argument("address")
    parser.add_argument("method")
    arguments = parser.parse_args()
    print(call(arguments.address, arguments.method, arguments.body, arguments.headers))


if __name__ == "__main__":
    main()
