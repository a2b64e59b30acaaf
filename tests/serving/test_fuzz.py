"""What schemathesis makes of our own document and of the Open Inference Protocol's, sent to a real server.

The same cases every time, their number asserted, and no answer of a server that failed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from openapi_spec_validator import validate

from .clients.controls import CONTROLS
from .clients.matrix import python_of
from .fuzzing import Outcome, Plan, run

OWN, PROTOCOL, PACKAGED = 4000, 5000, 600  # cases at least
# A tensor is right or wrong for a model, which the protocol's document cannot say: what it takes for right may be
# refused, and what it takes for wrong (a parameter that nobody reads) may be let through.
OF_A_MODEL = ("positive_data_acceptance", "negative_data_rejection")
NAMES = {"model_name": "loan", "model_version": "1"}
Document = dict[str, Any]


@pytest.fixture
def url(start, made, tmp_path) -> str:
    """A server that writes down every decision."""
    return start(made, records=str(tmp_path / "records"), records_mode="sampled", log_level="error").url


def held(outcome: Outcome, cases: int, accepted: int) -> None:
    """Nothing was wrong, and nothing was left out: neither what is refused nor what the model decides."""
    assert not outcome.wrong, "\n\n".join(f"{kind}\n{told}" for kind, told in outcome.wrong.items())
    assert outcome.cases >= cases
    assert {200, 400, 404, 405, 415} <= outcome.statuses.keys() <= {200, 400, 404, 405, 413, 415}
    assert outcome.accepted >= accepted


def bodies(infer: bytes) -> dict[str, Sequence[bytes]]:
    """Right bodies that are no plain JSON."""
    return {
        "application/octet-stream": [infer, b" " + infer],
        "application/jsonlines": [
            b'{"amount":1,"income":null,"term":12,"purpose":"car"}\n[0,2.5,480,"other"]\n',
            b'\r\n  \n[1e3,-1,1,"house"]\r\n\n',
            b'[1,2,3,"car"]',
        ],
        "text/csv": [b"1,2,3,car\n", b'1,,3,"car"\r\n0,-1e30,480,house', b"\xef\xbb\xbf1,2,3,car"],
    }


@pytest.mark.slow
def test_our_own_document_on_every_front(url, made):
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    outcome = run(Plan(url, document, 60, bodies(json.dumps(made.request(2)).encode())))
    held(outcome, OWN, 800)


def made_for(document: Document, request: Document) -> Document:
    """The document with the names of a model that is there, and one request that suits it; else all would be 404."""
    parameters = [*document["components"].get("parameters", {}).values()]
    parameters += [one for path in document["paths"].values() for one in path.get("parameters", [])]
    for parameter in parameters:
        if parameter.get("in") == "path":
            parameter["schema"]["enum"] = [NAMES[parameter["name"]]]
    for operations in document["paths"].values():
        if "post" in operations:
            content = operations["post"]["requestBody"]["content"]["application/json"]
            content |= {"example": request, "schema": short(content["schema"], document["components"]["schemas"])}
    return document


def short(schema: Any, schemas: Document) -> Any:
    """The schema on its own, its arrays of few items, its objects without members that it does not name.

    What is drawn of it finds what longer requests find, in a tenth of the time.
    """
    if isinstance(schema, list):
        return [short(one, schemas) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return short(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    bounds: Document = {"maxItems": 4} if schema.get("type") == "array" else {}
    if "required" in schema:
        bounds = {"additionalProperties": False}
    return bounds | {name: short(one, schemas) for name, one in schema.items() if not name.startswith("x-")}


@pytest.mark.slow
def test_the_protocols_document_in_our_words(url, made):
    document = yaml.safe_load(Path(__file__).with_name("oip.yaml").read_text())
    validate(document)
    outcome = run(Plan(url, made_for(document, made.request(2)), 1150, without=OF_A_MODEL, path=NAMES))
    held(outcome, PROTOCOL, 60)


def packaged() -> Document:
    """The protocol's document as MLServer packs it, with its routes beyond the protocol left out and the parts put
    right that are no OpenAPI: a list of datatypes where only schemas may be, and a type `bytes`."""
    python = python_of(CONTROLS["MLServer"].distribution)
    [path] = python.parent.parent.glob("lib/python*/site-packages/mlserver/rest/openapi/dataplane.json")
    document = json.loads(path.read_text().replace("#/components/enums/", "#/components/schemas/"))
    document["components"]["schemas"] |= document["components"].pop("enums")
    document["components"]["schemas"]["TensorData"] = {"type": "array", "items": {}}
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if not path.endswith(("infer_stream", "generate", "generate_stream"))
    }
    return document


@pytest.mark.slow
@pytest.mark.parametrize("document", [packaged] if sys.version_info < CONTROLS["MLServer"].below else [])
def test_the_protocols_document_as_mlserver_packs_it(url, made, document):
    found = made_for(document(), made.request(2))
    validate(found)
    outcome = run(Plan(url, found, 50, without=(*OF_A_MODEL, "status_code_conformance"), path=NAMES))
    held(outcome, PACKAGED, 30)
