"""A provider plugin of a few objects, each a JSON file in the folder ``world`` above the program's.

It is run as the executable ``pulumi-resource-shelf``. A book has a ``title``, ``pages``, ``tags`` and a ``place``, of
which another makes it another book; its ``label`` is known before it is made, its ``number`` only afterwards.
"""
# ruff: noqa: N802 — names of the protocol

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

HERE = Path.cwd().parent
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE = "4dabf18193072939515e22adb298388d"


def note(what: str) -> None:
    with (HERE / "asked").open("a") as file:
        file.write(what + "\n")


def plain(struct: Any) -> dict[str, Any]:
    return json_format.MessageToDict(struct)


def opened(value: Any) -> Any:
    """A value without the mark of a secret, which config arrives with."""
    return value["value"] if isinstance(value, dict) and SIGNATURE in value else value


def struct(value: dict[str, Any]) -> Any:
    made = provider_pb2.CreateRequest().properties
    made.update(value)
    return made


class Shelf(provider_pb2_grpc.ResourceProviderServicer):
    config: dict[str, Any]

    def Handshake(self, request: Any, context: Any) -> Any:
        note(f"greeted {bool(request.engine_address)}")
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.2.0")

    def CheckConfig(self, request: Any, context: Any) -> Any:
        news = plain(request.news)
        wrong = [] if news.get("room") != "cellar" else [{"property": "room", "reason": "is under water"}]
        return provider_pb2.CheckResponse(
            inputs=request.news, failures=[provider_pb2.CheckFailure(**one) for one in wrong]
        )

    def DiffConfig(self, request: Any, context: Any) -> Any:
        moved = plain(request.old_inputs).get("room") != plain(request.news).get("room")
        return provider_pb2.DiffResponse(replaces=["room"] if moved else [])

    def Configure(self, request: Any, context: Any) -> Any:
        self.config = {name: opened(value) for name, value in plain(request.args).items()}
        assert dict(request.variables).get("shelf:config:room") == self.config.get("room")
        return provider_pb2.ConfigureResponse(acceptSecrets=False, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> Any:
        news = plain(request.news)
        wrong = [] if news.get("title") else [{"property": "title", "reason": "a book has one"}]
        news.setdefault("pages", 100)
        return provider_pb2.CheckResponse(
            inputs=struct(news), failures=[provider_pb2.CheckFailure(**one) for one in wrong]
        )

    def Diff(self, request: Any, context: Any) -> Any:
        olds, news = plain(request.old_inputs), plain(request.news)
        changed = sorted(name for name in {*olds, *news} if olds.get(name) != news.get(name))
        kinds = provider_pb2.DiffResponse
        return kinds(
            changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
            replaces=[name for name in changed if name == "place"],
        )

    def Create(self, request: Any, context: Any) -> Any:
        news = plain(request.properties)
        if request.preview:
            return provider_pb2.CreateResponse(properties=struct(self.outputs(news)))
        note(f"create {news['title']} timeout={request.timeout:g}")
        if news["title"] == "collapse":
            os._exit(3)
        if news["title"] == "outage":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the cloud is down for maintenance")
        identity = f"{self.config.get('room', 'hall')}-{news['title']}-{news.get('place', '')}"
        made = {**self.outputs(news), "number": 7}
        (HERE / "world" / identity).write_text(json.dumps(made))
        self.work(context, identity, made)
        return provider_pb2.CreateResponse(id=identity, properties=struct(made))

    def Update(self, request: Any, context: Any) -> Any:
        news = plain(request.news)
        made = {**self.outputs(news), "number": 7}
        if not request.preview:
            note(f"update {request.id}")
            (HERE / "world" / request.id).write_text(json.dumps(made))
            self.work(context, request.id, made)
        return provider_pb2.UpdateResponse(properties=struct(made))

    def Read(self, request: Any, context: Any) -> Any:
        path = HERE / "world" / request.id
        if not path.exists():
            return provider_pb2.ReadResponse()
        found = json.loads(path.read_text())
        inputs = {name: value for name, value in found.items() if name not in ("label", "number")}
        return provider_pb2.ReadResponse(id=request.id, properties=struct(found), inputs=struct(inputs))

    def Delete(self, request: Any, context: Any) -> Any:
        note(f"delete {request.id}")
        (HERE / "world" / request.id).unlink(missing_ok=True)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        asked = plain(request.args)
        if asked.get("of") == "nothing":
            failure = provider_pb2.CheckFailure(property="of", reason="there is no such thing")
            return provider_pb2.InvokeResponse(failures=[failure])
        count = len(list((HERE / "world").iterdir()))
        return provider_pb2.InvokeResponse(**{"return": struct({"count": count, "room": self.config.get("room")})})

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def work(self, context: Any, identity: str, made: dict[str, Any]) -> None:
        """Fail where the book falls apart, as a provider does whose object is there but never becomes ready; and while
        the file ``busy`` is there, which every try makes shorter."""
        busy = HERE / "busy"
        if left := busy.read_text() if busy.exists() else "":
            busy.write_text(left[1:])
            (HERE / "world" / identity).unlink()
            context.abort(grpc.StatusCode.UNKNOWN, "the desk is busy")
        if made.get("binding") == "loose":
            told = provider_pb2.ErrorResourceInitFailed(id=identity, properties=struct(made), reasons=["it is loose"])
            status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message="not ready")
            status.details.add().Pack(told)
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(grpc.StatusCode.UNKNOWN, "not ready")

    def outputs(self, news: dict[str, Any]) -> dict[str, Any]:
        title = news["title"]
        return {**news, "label": UNKNOWN if title == UNKNOWN else f"{self.config.get('room', 'hall')}: {title}"}


def main() -> None:
    if os.environ.get("SHELF") == "mute":
        time.sleep(60)
    if os.environ.get("SHELF") == "broken":
        sys.exit("no wood")
    assert sys.argv[1].startswith("127.0.0.1:"), "the engine's address"
    server = grpc.server(ThreadPoolExecutor(8))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Shelf(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)  # noqa: T201 the engine reads it
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
