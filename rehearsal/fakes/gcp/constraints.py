"""What Google Cloud refuses beyond the shape of a request: one table, each entry with its source.

Sources: ``ref`` is the reference of the JSON API of Cloud Storage or of the XML API, ``guide`` a page of the guide of
Cloud Storage or Vertex AI, ``types`` the text of google-cloud-aiplatform's own types, ``seen`` a message that users
quote in public issues.
"""

from __future__ import annotations

from types import MappingProxyType

from trivet.rehearsal.fakes.constraints import Constraint, Demands

STRICT = "types"

_STORAGE = {
    "bucket-names": Constraint(
        "A bucket's name has 3 to 63 small letters, digits, dashes, underscores and dots (222 with dots), begins and"
        " ends with a letter or digit, is no IP address, and does not say google.",
        "guide Storage, Bucket naming guidelines",
    ),
    "object-names": Constraint(
        "An object's name has 1 to 1024 bytes of UTF-8, no line feed or carriage return, is neither . nor .. and does"
        " not begin with .well-known/acme-challenge/.",
        "guide Storage, Object naming guidelines",
    ),
    "names-taken": Constraint(
        "Buckets, models and endpoints cannot be made twice by one name.",
        "ref Buckets: insert, 409 conflict; types UploadModelRequest.model_id, CreateEndpointRequest.endpoint_id",
    ),
    "bucket-empty": Constraint("Only an empty bucket is deleted.", "ref Buckets: delete; XML API, BucketNotEmpty"),
    "retained-or-versioned": Constraint(
        "A bucket has a retention policy or keeps versions, and not both.",
        "SonarSource, rule RSPEC-6412; terraform-example-foundation, pull request 898: mutually exclusive",
    ),
    "properties-known": Constraint(
        "A bucket's or an object's description has no properties but those of the resource.",
        "ref Buckets and Objects, Resource representations",
    ),
    "query-known": Constraint(
        "A request has no parameters but those of its method: a misspelt precondition would otherwise be none.",
        "ref Objects, Parameters of each method; that others are refused is this fake's own choice",
    ),
    "preconditions": Constraint(
        "ifGenerationMatch and the other preconditions are kept; 0 stands for no live version.",
        "guide Storage, Request preconditions",
    ),
    "checksums": Constraint(
        "Bytes are those of the CRC32C and MD5 that come with them.",
        "guide Storage, Data validation and change detection",
    ),
    "metadata-size": Constraint("An object's own metadata is at most 8 KiB.", "guide Storage, Quotas and limits"),
    "chunk-size": Constraint(
        "Each chunk of a resumable upload but the last is a multiple of 256 KiB.",
        "guide Storage, Perform resumable uploads",
    ),
    "compose-sources": Constraint("1 to 32 objects are composed at once.", "ref Objects: compose, sourceObjects"),
    "part-size": Constraint(
        "Parts of a multipart upload but the last are at least 5 MiB; their numbers are 1 to 10 000.",
        "guide Storage, XML API multipart uploads",
    ),
}

_VERTEX = {
    STRICT: Constraint(
        "A request has the fields, types, enumerations and required members of its message, and none that only the"
        " service sets.",
        "google-cloud-aiplatform, the messages and the docstrings of aiplatform_v1.types",
    ),
    "display-names": Constraint(
        "A display name has 1 to 128 characters.", "types CustomJob, Model and Endpoint, display_name"
    ),
    "labels": Constraint(
        "At most 64 labels; keys and values have at most 64 small letters, digits, underscores and dashes, and a key"
        " begins with a letter.",
        "types CustomJob.labels; guide Vertex AI, Organize resources by using labels",
    ),
    "one-chief": Constraint(
        "The first worker pool has one replica.", "guide Vertex AI, Distributed training: the primary replica's pool"
    ),
    "machine-type": Constraint(
        "A worker pool, and dedicated resources of a deployed model, name a machine type.",
        "guide Vertex AI, Configure compute resources; types MachineSpec.machine_type",
    ),
    "one-task": Constraint("A worker pool has a container or a Python package.", "types WorkerPoolSpec, task: a oneof"),
    "env-names": Constraint(
        "Names of variables are identifiers of C; those that begin with AIP_ are the service's own in a served model.",
        "types EnvVar.name; guide Vertex AI, Custom container requirements",
    ),
    "output-exists": Constraint(
        "A job's output is in a bucket that there is, by a gs:// address.", "types GcsDestination.output_uri_prefix"
    ),
    "image-exists": Constraint(
        "A model's image was pushed before, to Artifact Registry or Container Registry.",
        "guide Vertex AI, Custom container requirements: Publishing the container image",
    ),
    "artifacts-exist": Constraint(
        "There are objects under the address of a model's artifacts.",
        "types Model.artifact_uri: the path to the directory",
    ),
    "model-ids": Constraint(
        "An id for a model has at most 63 small letters, digits, dashes and underscores and begins with a letter or an"
        " underscore.",
        "types UploadModelRequest.model_id",
    ),
    "alias-names": Constraint(
        "An alias has 2 to 128 letters, digits and dashes, begins with a small letter and ends with one or a digit.",
        "types Model.version_aliases, MergeVersionAliasesRequest.version_aliases",
    ),
    "default-alias": Constraint(
        "Exactly one version has the alias default: the first gets it, it is moved and never removed, and the version"
        " that has it is not deleted alone.",
        "types Model.version_aliases; guide Vertex AI, Model versioning and aliases",
    ),
    "routes": Constraint(
        "Routes of a container begin with a slash.", "types ModelContainerSpec, predict_route: HTTP path"
    ),
    "model-in-use": Constraint(
        "A model, or a version, that is deployed is not deleted.",
        'types DeleteModelRequest; seen: "The Model is deployed or being deployed at the following Endpoint(s)"',
    ),
    "endpoint-ids": Constraint(
        "An id for an endpoint has at most 9 digits and no nought before them, or begins with a small letter, has at"
        " most 63 small letters, digits and dashes, and does not end with a dash.",
        "types CreateEndpointRequest.endpoint_id",
    ),
    "deployed-ids": Constraint("An id for a deployed model has 1 to 10 digits.", "types DeployedModel.id"),
    "resources": Constraint(
        "A model with a container is deployed to dedicated resources, of at least one replica, and no fewer at most.",
        "types Model.supported_deployment_resources_types, DedicatedResources.min_replica_count",
    ),
    "traffic-sum": Constraint(
        "Percentages of a traffic split add up to 100, or there are none.", "types Endpoint.traffic_split"
    ),
    "traffic-deployed": Constraint(
        "Traffic goes to models that are deployed; 0 stands for the one that is being deployed.",
        "types Endpoint.traffic_split, DeployModelRequest.traffic_split",
    ),
    "undeploy-traffic": Constraint(
        "A model that gets traffic is undeployed only as the last one, or with a split that takes its traffic away.",
        "types UndeployModelRequest.traffic_split",
    ),
    "endpoint-empty": Constraint(
        "An endpoint with deployed models is not deleted.",
        "guide Vertex AI, Delete an endpoint: undeploy all models first",
    ),
    "payload": Constraint(
        "A request to a shared public endpoint, and its answer, are at most 1.5 MB: 1 572 864 bytes.",
        "guide Vertex AI, Choose an endpoint type, Custom container requirements; seen: ageron/handson-ml2#205,"
        ' "Request payload size exceeds the limit: 1572864 bytes"',
    ),
    "answer-time": Constraint(
        "A container behind a shared public endpoint answers within 60 seconds.",
        "guide Vertex AI, Choose an endpoint type",
    ),
    "cancel-running": Constraint(
        "A job that has ended is not cancelled, and one that has not is not deleted.",
        "types CustomJob.state; JobService.delete_custom_job, that it must have ended is this fake's own reading",
    ),
}

_MONITORING = {
    "points-one": Constraint(
        "One request writes one point of a time series.",
        "ref Cloud Monitoring, projects.timeSeries.create: at most one data point to each of several time series",
    ),
    "points-recent": Constraint(
        "A point is at most 25 hours old and at most 5 minutes ahead.",
        "guide Cloud Monitoring, Create user-defined metrics with the API: end times",
    ),
    "points-in-order": Constraint(
        "A point is later than all others of its time series.",
        "ref Cloud Monitoring, projects.timeSeries.create: more recent than any other point in its time series",
    ),
    "points-apart": Constraint(
        "Points of a time series are at least 5 seconds apart.",
        "guide Cloud Monitoring, Quotas and limits: one point each 5 seconds",
    ),
    "policy-filters": Constraint(
        "A condition over time series names the type of its metric and the type of its resource.",
        "ref Cloud Monitoring, MetricThreshold.filter and MetricAbsence.filter",
    ),
    "policy-comparisons": Constraint(
        "A threshold is compared by more than or less than, and by no other comparison.",
        "ref Cloud Monitoring, MetricThreshold.comparison",
    ),
    "policy-durations": Constraint(
        "A condition lasts whole minutes; that something is absent, from 2 minutes to 23 hours and a half.",
        "ref Cloud Monitoring, MetricThreshold.duration; MetricAbsence.duration; guide, Alerting policies: limits",
    ),
}

TABLE = MappingProxyType({**_STORAGE, **_VERTEX, **_MONITORING})


class Constraints(Demands):
    """Which of the table hold. All do at first."""

    def __init__(self) -> None:
        super().__init__(TABLE)
