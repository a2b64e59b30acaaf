"""What Azure refuses beyond the shape of a request: one table, each entry with its source.

Sources: ``ref`` is the REST reference of the service, ``guide`` a page of its documentation, ``sdk`` the source of
azure-ai-ml, ``seen`` a message that users quote in public issues.
"""

from __future__ import annotations

from types import MappingProxyType

from trivet.rehearsal.fakes.constraints import Constraint, Demands

STRICT = "types"

_ALL = {
    "tokens": Constraint(
        "A request bears a token that was given here and is still good; Blob Storage also takes a signature.",
        "guide Entra ID, Access tokens; ref Storage, Authorize with Microsoft Entra ID",
    ),
    "audiences": Constraint(
        "A token is for the resource that is asked.",
        "guide Entra ID, Access token claims: aud; seen: InvalidAuthenticationTokenAudience",
    ),
}

_STORAGE = {
    "container-names": Constraint(
        "A container's name has 3 to 63 small letters, digits and single dashes and begins and ends with none.",
        "ref Storage, Naming and referencing containers, blobs, and metadata",
    ),
    "blob-names": Constraint(
        "A blob's name has 1 to 1024 characters in at most 254 segments and ends neither with a dot nor a slash.",
        "ref Storage, Naming and referencing containers, blobs, and metadata",
    ),
    "names-taken": Constraint("A container cannot be made twice by one name.", "ref Storage, Create Container: 409"),
    "preconditions": Constraint(
        "If-Match, If-None-Match and their like are kept; a star says that there must be none.",
        "ref Storage, Specifying conditional headers for Blob service operations",
    ),
    "checksums": Constraint("Bytes are those of the MD5 that comes with them.", "ref Storage, Put Blob: Content-MD5"),
    "mandatory-headers": Constraint(
        "A blob that is put has a type, and a request with a token says a version that knows tokens.",
        "ref Storage, Put Blob: x-ms-blob-type; Versioning for Azure Storage",
    ),
    "metadata-names": Constraint(
        "Names of metadata are identifiers of C#.", "ref Storage, Setting and retrieving properties and metadata"
    ),
    "metadata-size": Constraint(
        "Metadata is at most 8 KB.", "ref Storage, Setting and retrieving properties and metadata"
    ),
    "block-ids": Constraint(
        "A block's id is Base64 of at most 64 bytes, and all of a blob are equally long.", "ref Storage, Put Block"
    ),
    "blocks-known": Constraint("A list of blocks names blocks that there are.", "ref Storage, Put Block List"),
    "block-count": Constraint("A blob has at most 50 000 blocks.", "ref Storage, Put Block List"),
}

_RESOURCES = {
    STRICT: Constraint(
        "A body has the members, types and enumerations of its model, all that it must have, and none that only the"
        " service sets.",
        "sdk _restclient/arm_ml_service/models, of which each route's body is one",
    ),
    "api-version": Constraint(
        "A request to ARM says the version of the interface that it means.",
        "guide ARM; seen: MissingApiVersionParameter",
    ),
    "names": Constraint(
        "Names of assets and jobs have 1 to 255 letters, digits, dashes and underscores, those of models and"
        " environments dots too, and begin with a letter or a digit or, but for jobs, an underscore.",
        "guide Azure ML, Naming rules: ref CLI YAML schemas, name; seen: ^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,254}$",
    ),
    "immutable": Constraint(
        "Of a version that exists only description, tags, properties and the flag archived change.",
        "seen: A field is immutable and cannot be changed; guide Azure ML, Data assets are immutable",
    ),
    "properties-kept": Constraint(
        "Properties of an asset or a job are added, never changed or removed.",
        "types ResourceBase.properties; sdk JobOperations: MFE does not allow existing properties to be updated",
    ),
    "dependencies": Constraint(
        "What a body names by its id is there: code, environment, model, compute, datastore.",
        "seen: UserError, The specified resource was not found",
    ),
    "cancel-running": Constraint(
        "A job that has ended is not cancelled, and one that has not is not deleted.",
        "ref Jobs, Cancel and Delete; that they are refused so is this fake's own reading",
    ),
    "inputs-known": Constraint(
        "A command uses inputs and outputs that the job has.",
        "guide Azure ML, Expression syntax; sdk validates the same on the client's side",
    ),
}

_ENDPOINTS = {
    "endpoint-names": Constraint(
        "Names of endpoints and deployments have 3 to 32 letters, digits and single dashes, begin with a letter and do"
        " not end with a dash.",
        "guide Azure ML, Manage quotas: Managed online endpoints; sdk constants/_endpoint.py",
    ),
    "endpoint-counts": Constraint(
        "A subscription has at most 100 endpoints in a region, and an endpoint 20 deployments.",
        "guide Azure ML, Manage quotas: Managed online endpoints",
    ),
    "traffic-sum": Constraint(
        "Percentages of traffic add up to 0 or 100.", "guide Azure ML, Online endpoint YAML schema: traffic"
    ),
    "traffic-deployed": Constraint(
        "Traffic and mirrored traffic go to deployments that exist: none can at an endpoint's creation.",
        "guide Azure ML, Online endpoint YAML schema: traffic",
    ),
    "mirror-traffic": Constraint(
        "At most 50 percent are mirrored, to one deployment that gets no other traffic.",
        "guide Azure ML, Safe rollout: Test the deployment with mirrored traffic",
    ),
    "auth-mode": Constraint(
        "How an endpoint knows its callers is not changed.", "ref Online Endpoints, authMode: set on creation only"
    ),
    "instances": Constraint(
        "A deployment has a type and 1 to 50 instances.",
        "guide Azure ML, Manage quotas; Managed online deployment YAML schema: instance_count, instance_type",
    ),
    "inference-routes": Constraint(
        "The environment of a deployment without a scoring script says its three routes, each with port and path.",
        "guide Azure ML, Deploy a custom container: inference_config",
    ),
    "request-timeout": Constraint(
        "A request may take 180 s at most, and takes no longer than its deployment says, 5 s if nothing.",
        "guide Azure ML, Managed online deployment YAML schema: request_timeout_ms; Manage quotas",
    ),
    "deployment-traffic": Constraint(
        "A deployment that gets traffic is not deleted.",
        "guide Azure ML, Safe rollout; seen: Cannot delete deployment with traffic; set it to 0 first",
    ),
    "scoring-key": Constraint(
        "A request to an endpoint bears one of its keys, its token or Entra ID's, as its auth mode says.",
        "guide Azure ML, Authenticate clients for online endpoints",
    ),
    "concurrency": Constraint(
        "More than twice the concurrent requests of all instances are refused with 429.",
        "guide Azure ML, Troubleshoot online endpoints: 429, 2 x max_concurrent_requests_per_instance x instances",
    ),
}

_OTHERS = {
    "vault-names": Constraint(
        "A vault's name has 3 to 24 letters, digits and single dashes and begins with a letter; a key's 1 to 127.",
        "guide Key Vault, Object identifiers; ref Vaults, pattern of vaultName",
    ),
    "key-kinds": Constraint(
        "A key is EC on a curve or RSA of 2048, 3072 or 4096 bits, signs by an algorithm of its kind and only where its"
        " operations say so, and digests are as long as the algorithm's.",
        "guide Key Vault, About keys: cryptographic operations",
    ),
    "soft-delete": Constraint(
        "A deleted key, and a deleted vault or workspace, keeps its name until it is recovered or purged.",
        "guide Key Vault, Soft-delete overview; guide Azure ML, Recover workspace data while soft deleted",
    ),
    "account-names": Constraint(
        "A storage account's name has 3 to 24 small letters and digits.",
        "guide ARM, Naming rules and restrictions for Azure resources",
    ),
    "metric-shape": Constraint(
        "A custom metric has a time of the last 20 minutes or next 5, a namespace, a name, and series of min, max, sum"
        " and count with as many values as it has dimensions, at most 10.",
        "ref Azure Monitor, Send custom metrics by using the REST API",
    ),
    "query-shape": Constraint(
        "A query for metrics names metrics of its namespace, and an interval and aggregations that there are.",
        "ref Azure Monitor, Metrics: List",
    ),
}

TABLE = MappingProxyType({**_ALL, **_STORAGE, **_RESOURCES, **_ENDPOINTS, **_OTHERS})


class Constraints(Demands):
    """Which of the table hold. All do at first."""

    def __init__(self) -> None:
        super().__init__(TABLE)
