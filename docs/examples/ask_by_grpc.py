"""Asks any gRPC service that tells by reflection what it offers, and prints the answer as JSON.

python docs/examples/ask_by_grpc.py localhost:18002/                                     what there is
python docs/examples/ask_by_grpc.py localhost:18002/ package.Service/Method '{"a": 1}'   one call

Of a method that streams it prints each answer as it comes.
"""

import sys
from collections.abc import Iterator

import grpc
from google.protobuf import json_format
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

TIMEOUT_S = 5.0
STREAM_TIMEOUT_S = 60.0


def main(address: str, path: str = "", text: str = "{}") -> int:
    with grpc.insecure_channel(address.removeprefix("http://").rstrip("/")) as channel:
        told = ProtoReflectionDescriptorDatabase(channel)
        pool = DescriptorPool(told)
        try:
            if path:
                for answer in ask(channel, pool, path, text):
                    print(answer, flush=True)
            else:
                print("\n".join(offered(told, pool)))
        except grpc.RpcError as error:
            print(f"{error.code().name}: {error.details()}", file=sys.stderr)
            return 1
        except KeyError:
            print(f"There is no method {path}; without one, all are shown.", file=sys.stderr)
            return 2
        except json_format.ParseError as error:
            print(f"{path} is not asked so: {error}", file=sys.stderr)
            return 2
    return 0


def offered(told: ProtoReflectionDescriptorDatabase, pool: DescriptorPool) -> list[str]:
    services = (pool.FindServiceByName(name) for name in sorted(told.get_services()))
    return [f"{each.full_name}/{method.name}" for each in services for method in each.methods]


def ask(channel: grpc.Channel, pool: DescriptorPool, path: str, text: str) -> Iterator[str]:
    service, _, name = path.rpartition("/")
    method = pool.FindServiceByName(service).FindMethodByName(name)
    question = json_format.Parse(text, GetMessageClass(method.input_type)())
    make = channel.unary_stream if method.server_streaming else channel.unary_unary
    call = make(
        f"/{path}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    if method.server_streaming:
        answers = call(question, timeout=STREAM_TIMEOUT_S)
    else:
        answers = iter([call(question, timeout=TIMEOUT_S)])
    for answer in answers:
        yield json_format.MessageToJson(
            answer, preserving_proto_field_name=True, descriptor_pool=pool
        )


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
