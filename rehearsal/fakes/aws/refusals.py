"""How AWS says no: the rendering in each of AWS's protocols."""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

from trivet.rehearsal.fakes.refusing import Answer, Refused


def invalid(message: str) -> Refused:
    """What SageMaker answers to almost everything that it does not take, things not found included."""
    return Refused("ValidationException", message)


def render(refused: Refused, protocol: str) -> Answer:
    """An error as a service of this protocol sends it; ``protocol`` is botocore's name for it."""
    code, message = refused.code, refused.message
    if protocol == "rest-xml":
        return _xml(refused.status, f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>")
    if protocol == "query":
        kind = "Sender" if refused.status < 500 else "Receiver"
        inner = f"<Error><Type>{kind}</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        return _xml(refused.status, f"<ErrorResponse>{inner}<RequestId>0</RequestId></ErrorResponse>")
    if protocol == "ec2":
        inner = f"<Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        return _xml(refused.status, f"<Response>{inner}<RequestID>0</RequestID></Response>")
    if protocol == "smithy-rpc-v2-cbor":
        body = b"\xa2" + _text("__type") + _text(code) + _text("message") + _text(message)
        return refused.status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")], body
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code)]
    members = {"__type": code, "message": message, "Message": message, **refused.details}
    return refused.status, headers, json.dumps(members).encode()


def _xml(status: int, body: str) -> Answer:
    return status, [("Content-Type", "text/xml")], f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode()


def _text(value: str) -> bytes:
    """A text string in CBOR, RFC 8949 3.1."""
    data = value.encode()
    return b"\x7a" + len(data).to_bytes(4, "big") + data
