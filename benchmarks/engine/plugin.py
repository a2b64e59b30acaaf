"""A provider plugin that keeps nothing: ``pulumi-resource-shelf`` of the benchmark."""

# ruff: noqa: N802, ARG002 — names and signatures are the protocol's
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


class Shelf(provider_pb2_grpc.ResourceProviderServicer):
    """Its objects have a title and a label, which it foresees; a change of the title replaces them."""

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request: Any, context: Any) -> Any:
        changed = [name for name in request.news if request.news[name] != request.old_inputs[name]]
        kinds = provider_pb2.DiffResponse
        changes = kinds.DIFF_SOME if changed else kinds.DIFF_NONE
        return kinds(changes=changes, replaces=[name for name in changed if name == "title"])

    def Create(self, request: Any, context: Any) -> Any:
        made = provider_pb2.CreateResponse(id="" if request.preview else request.properties["title"])
        made.properties.CopyFrom(request.properties)
        made.properties["label"] = f"the book {request.properties['title']}"
        return made

    def Update(self, request: Any, context: Any) -> Any:
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


def main() -> None:
    """Serve until the engine ends this process."""
    server = grpc.server(ThreadPoolExecutor(8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Shelf(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
