"""SageMaker's asynchronous inference: a request is taken at once, and its answer is put into S3 when it is there."""

from __future__ import annotations

import http.client
import json
import threading
import uuid
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from trivet.rehearsal.fakes.aws import models
from trivet.rehearsal.fakes.aws.endpoint import KIND, Endpoint
from trivet.rehearsal.fakes.aws.invoke import headers_of
from trivet.rehearsal.fakes.aws.objects import Place
from trivet.rehearsal.fakes.aws.refusals import Answer, Refused, invalid
from trivet.rehearsal.fakes.aws.state import ACCOUNT, Region

_TIMEOUT = 900  # seconds; InvokeEndpointAsync, InvocationTimeoutSeconds


def invoke_endpoint_async(region: Region, request: dict[str, Any]) -> Answer:
    """Take a request; 202 with the places in S3 where its answer, or what went wrong, will be.

    :param request: the members of InvokeEndpointAsyncInput.
    """
    name = request["EndpointName"]
    endpoint: Endpoint = region.get(KIND, name, f"Endpoint {name} of account {ACCOUNT} not found.")
    config = models.config(region, endpoint.config).request.get("AsyncInferenceConfig")
    if config is None:
        raise invalid(f"Endpoint {name} is not an asynchronous endpoint.")
    body, location = request.get("Body", b""), request.get("InputLocation")
    if bool(body) == bool(location):
        raise invalid("Exactly one of Body and InputLocation is taken.")
    endpoint.choose().release()  # it serves, or the request is refused now
    identity = request.get("InferenceId", str(uuid.uuid4()))
    token, output = str(uuid.uuid4()), config["OutputConfig"]
    good = Place.of(output["S3OutputPath"]).below(f"{token}.out")
    bad = Place.of(output.get("S3FailurePath", output["S3OutputPath"])).below(f"{token}-error.out")
    work = (region, endpoint, request, body, location, good, bad)
    threading.Thread(target=_work, args=work, name=f"async {token}", daemon=True).start()
    headers = [("X-Amzn-SageMaker-OutputLocation", str(good)), ("X-Amzn-SageMaker-FailureLocation", str(bad))]
    content = json.dumps({"InferenceId": identity}).encode()
    return 202, [*headers, ("Content-Type", "application/json")], content


def _work(
    region: Region, endpoint: Endpoint, request: dict[str, Any], body: bytes, location: str, good: Place, bad: Place
) -> None:
    s3 = region.world.client("s3", region.name)
    try:
        if location:
            place = Place.of(location)
            body = s3.get_object(Bucket=place.bucket, Key=place.key)["Body"].read()
        seconds = int(request.get("InvocationTimeoutSeconds", _TIMEOUT))
        server = endpoint.choose()
        try:
            reply = server.invoke(headers_of(request), body, seconds)
        finally:
            server.release()
        target = good if reply.status < 300 else bad
        s3.put_object(Bucket=target.bucket, Key=target.key, Body=reply.body)
    except (OSError, http.client.HTTPException, ClientError, BotoCoreError, Refused) as error:
        s3.put_object(Bucket=bad.bucket, Key=bad.key, Body=str(error).encode())
