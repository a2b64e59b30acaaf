"""The types of Google Cloud that are served, one a line: the template of the id, and what else makes another object.

``fixed`` follows what the documentation of the provider and of Google's APIs calls immutable or says to force a new
resource; the wheel carries those remarks for a few properties only.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from trivet.rehearsal.plugins.gcp.kinds import Google, Member, google
from trivet.rehearsal.plugins.gcp.served import Bucket, Key, Policy, Ring, Served, ServiceAccount

_HERE = "projects/{project}/locations/{location}"
_REGION = "projects/{project}/regions/{region}"
_GLOBAL = "projects/{project}/global"
_MEMBER = "role member condition"


def _service_account(bag: Mapping[str, Any], form: str = "{}") -> str:
    return form.format(f"{bag['accountId']}@{bag['project']}.iam.gserviceaccount.com")


_AGENTS = {"sqladmin": "cloud-sql"}
"""Services whose agent is not called as they are."""


def _agent(bag: Mapping[str, Any], form: str = "{}") -> str:
    service = str(bag["service"]).split(".")[0]
    return form.format(f"service-{bag['number']}@gcp-sa-{_AGENTS.get(service, service)}.iam.gserviceaccount.com")


def _sink_writer(bag: Mapping[str, Any]) -> str:
    return f"serviceAccount:service-{bag['number']}@gcp-sa-logging.iam.gserviceaccount.com"


_ACCOUNT = functools.partial(_service_account, form="serviceAccount:{}")
_AGENT = functools.partial(_agent, form="serviceAccount:{}")
_EMAIL = "{accountId}@{project}.iam.gserviceaccount.com"
_STORE = f"{_HERE}/featureOnlineStores/{{featureOnlineStore}}"

_ALL = [
    # project, identities, guardrails
    google("projects:Service", "{project}/{service}"),
    google(
        "projects:ServiceIdentity",
        "projects/{project}/services/{service}",
        outputs={"email": _agent, "member": _AGENT},
    ),
    google("projects:IAMMember", "{project}/{role}/{member}", _MEMBER, kind=Member),
    google("projects:IAMCustomRole", "projects/{project}/roles/{roleId}", outputs={"name": "{id}"}),
    google("projects:IAMAuditConfig", "{project}/audit_config/{service}", overwrites=True),
    google(
        "serviceaccount:Account",
        f"projects/{{project}}/serviceAccounts/{_EMAIL}",
        "accountId",
        outputs={
            "email": _service_account,
            "member": _ACCOUNT,
            "name": "{id}",
            "uniqueId": "{digits}",
        },
        kind=ServiceAccount,
        collection="/v1/projects/{project}/serviceAccounts",
    ),
    google("serviceaccount:IAMMember", "{serviceAccountId}/{role}/{member}", _MEMBER, needs=("{serviceAccountId}",)),
    google(
        "iam:WorkloadIdentityPool",
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",
        "mode",
        outputs={"name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}"},
    ),
    google(
        "iam:WorkloadIdentityPoolProvider",
        "projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/"
        "{workloadIdentityPoolProviderId}",
        needs=("projects/{project}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}",),
        outputs={
            "name": "projects/{number}/locations/global/workloadIdentityPools/{workloadIdentityPoolId}/providers/"
            "{workloadIdentityPoolProviderId}"
        },
    ),
    google("orgpolicy:Policy", "{parent}/policies/{name}"),
    google("orgpolicy:CustomConstraint", "{parent}/customConstraints/{name}", "resourceTypes"),
    google(
        "resourcemanager:Lien",
        "{parent}/liens/{hex17}",
        "origin reason restrictions",
        outputs={"name": lambda bag: bag["id"].rsplit("/", 1)[-1]},
    ),
    google("tags:TagBinding", "tagBindings/{parent}/{tagValue}", outputs={"name": "{parent}/{tagValue}"}),
    google("accesscontextmanager:ServicePerimeter", "{name}", "parent perimeterType"),
    # network
    google(
        "compute:Network",
        f"{_GLOBAL}/networks/{{name}}",
        "description enableUlaInternalIpv6 internalIpv6Range",
        outputs={"networkId": "{digits}", "numericId": "{digits}"},
    ),
    google(
        "compute:Subnetwork",
        f"{_REGION}/subnetworks/{{name}}",
        "network description purpose reservedInternalRange",
        outputs={"gatewayAddress": "10.0.0.1"},
    ),
    google("compute:Firewall", f"{_GLOBAL}/firewalls/{{name}}", "network direction"),
    google(
        "compute:GlobalAddress",
        f"{_GLOBAL}/addresses/{{name}}",
        "address addressType description ipVersion network prefixLength purpose",
    ),
    google(
        "compute:GlobalForwardingRule",
        f"{_GLOBAL}/forwardingRules/{{name}}",
        "description ipAddress ipProtocol ipVersion loadBalancingScheme network networkTier portRange subnetwork",
        outputs={"baseForwardingRule": "", "forwardingRuleId": 1},
    ),
    google(
        "compute:Address",
        f"{_REGION}/addresses/{{name}}",
        "address addressType description ipVersion network prefixLength purpose subnetwork",
        outputs={"address": "10.80.0.9"},
    ),
    google(
        "compute:ForwardingRule",
        f"{_REGION}/forwardingRules/{{name}}",
        "description ipAddress ipProtocol ipVersion loadBalancingScheme network networkTier portRange subnetwork",
        outputs={"baseForwardingRule": "", "forwardingRuleId": 1, "pscConnectionId": "{digits}"},
    ),
    google("compute:NetworkAttachment", f"{_REGION}/networkAttachments/{{name}}", "connectionPreference"),
    google("dns:ManagedZone", "projects/{project}/managedZones/{name}", "dnsName visibility reverseLookup"),
    google(
        "dns:RecordSet",
        "projects/{project}/managedZones/{managedZone}/rrsets/{name}/{type}",
        needs=("projects/{project}/managedZones/{managedZone}",),
    ),
    google("dns:Policy", "projects/{project}/policies/{name}"),
    # keys, secrets, storage, images, database
    google(
        "kms:KeyRing",
        f"{_HERE}/keyRings/{{name}}",
        kind=Ring,
        collection=f"/v1/{_HERE}/keyRings",
        naming="keyRingId",
    ),
    google(
        "kms:CryptoKey",
        "{keyRing}/cryptoKeys/{name}",
        "purpose destroyScheduledDuration importOnly skipInitialVersionCreation cryptoKeyBackend "
        "versionTemplate.protectionLevel",
        needs=("{keyRing}",),
        kind=Key,
        collection="/v1/{keyRing}/cryptoKeys",
        naming="cryptoKeyId",
        members=("purpose", "rotationPeriod", "destroyScheduledDuration", "versionTemplate", "labels"),
        mutable=("rotationPeriod", "labels"),
    ),
    google("kms:CryptoKeyIAMMember", "{cryptoKeyId}/{role}/{member}", _MEMBER, needs=("{cryptoKeyId}",)),
    google("secretmanager:Secret", "projects/{project}/secrets/{secretId}", "replication", outputs={"name": "{id}"}),
    google(
        "secretmanager:SecretVersion",
        "{secret}/versions/{digits}",
        "secretData isSecretDataBase64",
        needs=("{secret}",),
        outputs={"name": "{id}", "version": "1"},
    ),
    google(
        "storage:Bucket",
        "{name}",
        "enableObjectRetention hierarchicalNamespace customPlacementConfig",
        outputs={"url": "gs://{name}", "selfLink": "https://www.googleapis.com/storage/v1/b/{name}"},
        kind=Bucket,
        collection="/storage/v1/b?project={project}",
        path="/storage/v1/b/{id}",
        members=("name", "location"),
    ),
    google("storage:BucketIAMMember", "b/{bucket}/{role}/{member}", _MEMBER, needs=("{bucket}",)),
    google(
        "artifactregistry:Repository",
        f"{_HERE}/repositories/{{repositoryId}}",
        "format kmsKeyName mode",
        outputs={"name": "{repositoryId}", "registryUri": "{location}-docker.pkg.dev/{project}/{repositoryId}"},
    ),
    google("artifactregistry:RepositoryIamMember", f"{_HERE}/repositories/{{repository}}/{{role}}/{{member}}", _MEMBER),
    google("binaryauthorization:Policy", "projects/{project}"),
    google(
        "sql:DatabaseInstance",
        "{name}",
        "databaseVersion encryptionKeyName masterInstanceName",
        protected=True,
        outputs={
            "connectionName": "{project}:{region}:{name}",
            "dnsName": "{hex17}.{region}.sql.goog.",
            "pscServiceAttachmentLink": "projects/{digits}/regions/{region}/serviceAttachments/{name}",
            "selfLink": "https://sqladmin.googleapis.com/sql/v1beta4/projects/{project}/instances/{name}",
            "serviceAccountEmailAddress": "p{number}-{hex17}@gcp-sa-cloud-sql.iam.gserviceaccount.com",
        },
    ),
    google("sql:Database", "projects/{project}/instances/{instance}/databases/{name}", needs=("{instance}",)),
    google("sql:User", "{name}//{instance}", "host type", needs=("{instance}",)),
    # data
    google(
        "bigquery:Dataset",
        "projects/{project}/datasets/{datasetId}",
        "externalDatasetReference",
        outputs={"selfLink": "https://bigquery.googleapis.com/bigquery/v2/{id}"},
    ),
    google(
        "bigquery:Table",
        "projects/{project}/datasets/{datasetId}/tables/{tableId}",
        "encryptionConfiguration.kmsKeyName rangePartitioning timePartitioning.field",
        needs=("projects/{project}/datasets/{datasetId}",),
        protected=True,
        outputs={"type": "TABLE", "selfLink": "https://bigquery.googleapis.com/bigquery/v2/{id}"},
    ),
    google("dataplex:Datascan", f"{_HERE}/dataScans/{{dataScanId}}", "data", outputs={"name": "{id}"}),
    google("dataplex:AspectType", f"{_HERE}/aspectTypes/{{aspectTypeId}}", outputs={"name": "{id}"}),
    # logs, watching, cost
    google(
        "logging:ProjectSink",
        "projects/{project}/sinks/{name}",
        "uniqueWriterIdentity",
        outputs={"writerIdentity": _sink_writer},
    ),
    google(
        "logging:ProjectBucketConfig",
        f"{_HERE}/buckets/{{bucketId}}",
        "enableAnalytics",
        outputs={"name": "{id}", "lifecycleState": "ACTIVE"},
    ),
    google("logging:Metric", "{name}"),
    google(
        "monitoring:AlertPolicy",
        "projects/{project}/alertPolicies/{digits}",
        outputs={"name": "{id}"},
        kind=Policy,
        collection="/v3/projects/{project}/alertPolicies",
        path="/v3/{id}",
        members=("displayName", "combiner", "conditions", "documentation", "userLabels", "notificationChannels"),
        mutable=("displayName", "combiner", "documentation", "userLabels", "notificationChannels"),
    ),
    google(
        "monitoring:NotificationChannel",
        "projects/{project}/notificationChannels/{digits}",
        "type",
        outputs={"name": "{id}"},
    ),
    google("monitoring:Dashboard", "projects/{project}/dashboards/{uuid}"),
    google(
        "monitoring:MetricDescriptor",
        "projects/{project}/metricDescriptors/{type}",
        "metricKind valueType unit displayName description labels",
        outputs={"name": "{id}"},
    ),
    google("billing:Budget", "billingAccounts/{billingAccount}/budgets/{uuid}", outputs={"name": "{id}"}),
    google(
        "cloudquota:SQuotaPreference", "{parent}/locations/global/quotaPreferences/{name}", "service quotaId dimensions"
    ),
    # machine learning
    google(
        "vertex:AiEndpoint",
        f"{_HERE}/endpoints/{{name}}",
        "encryptionSpec network privateServiceConnectConfig dedicatedEndpointEnabled",
        numeric=True,
        outputs={"dedicatedEndpointDns": "{name}.{location}-{number}.prediction.vertexai.goog"},
        kind=Served,
        collection=f"/v1/{_HERE}/endpoints",
        naming="endpointId",
        members=("displayName", "description", "labels", "encryptionSpec"),
        mutable=("displayName", "description", "labels"),
    ),
    google("vertex:AiEndpointIamMember", f"{_HERE}/endpoints/{{endpoint}}/{{role}}/{{member}}", _MEMBER),
    google("vertex:AiDeploymentResourcePool", f"{_HERE}/deploymentResourcePools/{{name}}", "dedicatedResources"),
    google("vertex:AiFeatureGroup", f"{_HERE}/featureGroups/{{name}}"),
    google(
        "vertex:AiFeatureGroupFeature",
        f"{_HERE}/featureGroups/{{featureGroup}}/features/{{name}}",
        needs=(f"{_HERE}/featureGroups/{{featureGroup}}",),
    ),
    google(
        "vertex:AiFeatureOnlineStore",
        f"{_HERE}/featureOnlineStores/{{name}}",
        "encryptionSpec",
        outputs={"state": "STABLE"},
    ),
    google("vertex:AiFeatureOnlineStoreFeatureview", f"{_STORE}/featureViews/{{name}}", needs=(_STORE,)),
    google("vertex:AiMetadataStore", f"{_HERE}/metadataStores/{{name}}", "description encryptionSpec"),
    google(
        "vertex:AiPersistentResource",
        f"{_HERE}/persistentResources/{{name}}",
        "encryptionSpec network",
        outputs={"state": "RUNNING"},
    ),
    google("vertex:AiTensorboard", f"{_HERE}/tensorboards/{{digits}}", "encryptionSpec", outputs={"name": "{id}"}),
    google(
        "colab:Schedule",
        f"{_HERE}/schedules/{{digits}}",
        "createPipelineJobRequest createNotebookExecutionJobRequest",
        outputs={"name": "{id}"},
    ),
    # running, events
    google("workflows:Workflow", f"{_HERE}/workflows/{{name}}", protected=True, outputs={"revisionId": "000001-abc"}),
    google(
        "cloudrunv2:Service",
        f"{_HERE}/services/{{name}}",
        protected=True,
        outputs={"uri": "https://{name}-{number}.{location}.run.app"},
    ),
    google("cloudrunv2:Job", f"{_HERE}/jobs/{{name}}", protected=True),
    google("cloudscheduler:Job", f"{_HERE}/jobs/{{name}}", outputs={"state": "ENABLED"}),
    google("pubsub:Topic", "projects/{project}/topics/{name}", "messageTransforms"),
    google(
        "pubsub:TopicIAMMember",
        "projects/{project}/topics/{topic}/{role}/{member}",
        _MEMBER,
        needs=("projects/{project}/topics/{topic}",),
    ),
    google("eventarc:Trigger", f"{_HERE}/triggers/{{name}}", "channel transport.pubsub.topic"),
]

TYPES: dict[str, Google] = {kind.token: kind for kind in _ALL}
