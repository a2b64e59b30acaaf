"""The types of Azure that are served, one a line: the path of the id, and what else makes another object.

``fixed`` follows the properties that Azure's API descriptions mark ``x-ms-mutability: create, read`` or whose
documentation says that they cannot be changed after creation; azure-native's wheel does not carry those marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trivet.rehearsal.plugins.azure.kinds import GROUP, Arm, arm

_ML = "Microsoft.MachineLearningServices"
_WORKSPACE = f"{_ML}/workspaces/{{workspaceName}}"
_STORAGE = "Microsoft.Storage/storageAccounts/{accountName}"
_REGISTRY = "Microsoft.ContainerRegistry/registries/{registryName}"
_VAULT = "Microsoft.KeyVault/vaults/{vaultName}"
_NET = "Microsoft.Network"
_ZONE = f"{_NET}/privateDnsZones/{{privateZoneName}}"
_IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
_TOPIC = "Microsoft.EventGrid/systemTopics/{systemTopicName}"


def _vault(bag: Mapping[str, Any]) -> Any:
    return {
        "vaultUri": f"https://{bag['vaultName']}.vault.azure.net/",
        "provisioningState": "Succeeded",
        **bag["properties"],
    }


def _endpoint(bag: Mapping[str, Any]) -> Any:
    region = bag.get("location", "")
    base = f"https://{bag['endpointName']}.{region}.inference.ml.azure.com"
    return {**bag["properties"], "scoringUri": f"{base}/score", "provisioningState": "Succeeded"}


def _blobs(bag: Mapping[str, Any]) -> Any:
    kinds = {"blob": "blob", "dfs": "dfs", "file": "file", "queue": "queue", "table": "table"}
    return {name: f"https://{bag['accountName']}.{kind}.core.windows.net/" for name, kind in kinds.items()}


_KEY = "https://{vaultName}.vault.azure.net/keys/{keyName}"

_ALL = [
    arm("resources:ResourceGroup", GROUP, "managedBy", outputs={"properties": {"provisioningState": "Succeeded"}}),
    arm("authorization:ManagementLockByScope", "/{scope}/providers/Microsoft.Authorization/locks/{lockName}"),
    arm(
        "authorization:PolicyAssignment",
        "/{scope}/providers/Microsoft.Authorization/policyAssignments/{policyAssignmentName}",
        "policyDefinitionId",
    ),
    arm(
        "authorization:RoleAssignment",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
        "principalId roleDefinitionId principalType delegatedManagedIdentityResourceId",
        guid=True,
    ),
    arm(
        "authorization:RoleDefinition",
        "/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
        guid=True,
    ),
    arm(
        "managedidentity:UserAssignedIdentity",
        _IDENTITY,
        outputs={"principalId": "{uuid}", "clientId": "{uuid}"},
    ),
    arm(
        "managedidentity:FederatedIdentityCredential",
        f"{_IDENTITY}/federatedIdentityCredentials/{{federatedIdentityCredentialResourceName}}",
    ),
    # network
    arm("network:VirtualNetwork", f"{_NET}/virtualNetworks/{{virtualNetworkName}}", "extendedLocation"),
    arm("network:Subnet", f"{_NET}/virtualNetworks/{{virtualNetworkName}}/subnets/{{subnetName}}"),
    arm("network:NetworkSecurityGroup", f"{_NET}/networkSecurityGroups/{{networkSecurityGroupName}}"),
    arm(
        "network:PrivateEndpoint",
        f"{_NET}/privateEndpoints/{{privateEndpointName}}",
        "subnet customNetworkInterfaceName",
    ),
    arm(
        "network:PrivateDnsZoneGroup",
        f"{_NET}/privateEndpoints/{{privateEndpointName}}/privateDnsZoneGroups/{{privateDnsZoneGroupName}}",
    ),
    arm("network:FlowLog", f"{_NET}/networkWatchers/{{networkWatcherName}}/flowLogs/{{flowLogName}}"),
    arm("privatedns:PrivateZone", _ZONE, outputs={"numberOfRecordSets": 1, "maxNumberOfRecordSets": 25000}),
    arm(
        "privatedns:VirtualNetworkLink",
        f"{_ZONE}/virtualNetworkLinks/{{virtualNetworkLinkName}}",
        "virtualNetwork",
        outputs={"virtualNetworkLinkState": "Completed"},
    ),
    # keys, storage, images, database
    arm("keyvault:Vault", _VAULT, "properties.tenantId properties.enableSoftDelete", outputs={"properties": _vault}),
    arm(
        "keyvault:Key",
        f"{_VAULT}/keys/{{keyName}}",
        "properties.kty properties.keySize properties.curveName",
        outputs={
            "keyUri": _KEY,
            "keyUriWithVersion": f"{_KEY}/{{hex17}}",
            "kty": lambda bag: bag["properties"].get("kty"),
        },
    ),
    arm("keyvault:Secret", f"{_VAULT}/secrets/{{secretName}}"),
    arm(
        "storage:StorageAccount",
        _STORAGE,
        "isHnsEnabled enableNfsV3 extendedLocation dnsEndpointType encryption.requireInfrastructureEncryption "
        "immutableStorageWithVersioning",
        outputs={"primaryEndpoints": _blobs, "primaryLocation": "{location}", "statusOfPrimary": "available"},
    ),
    arm("storage:BlobServiceProperties", f"{_STORAGE}/blobServices/default"),
    arm(
        "storage:BlobContainer",
        f"{_STORAGE}/blobServices/default/containers/{{containerName}}",
        "defaultEncryptionScope denyEncryptionScopeOverride immutableStorageWithVersioning",
    ),
    arm(
        "storage:BlobContainerImmutabilityPolicy",
        f"{_STORAGE}/blobServices/default/containers/{{containerName}}/immutabilityPolicies/default",
        outputs={"state": "Unlocked"},
    ),
    arm("storage:ManagementPolicy", f"{_STORAGE}/managementPolicies/default"),
    arm(
        "containerregistry:Registry", _REGISTRY, "zoneRedundancy", outputs={"loginServer": "{registryName}.azurecr.io"}
    ),
    arm("containerregistry:Replication", f"{_REGISTRY}/replications/{{replicationName}}", "zoneRedundancy"),
    arm(
        "dbforpostgresql:Server",
        "Microsoft.DBforPostgreSQL/flexibleServers/{serverName}",
        "administratorLogin availabilityZone createMode pointInTimeUTC sourceServerResourceId "
        "network.delegatedSubnetResourceId network.privateDnsZoneArmResourceId",
        outputs={"fullyQualifiedDomainName": "{serverName}.postgres.database.azure.com", "state": "Ready"},
    ),
    arm(
        "redis:Redis",
        "Microsoft.Cache/redis/{name}",
        "subnetId staticIP",
        outputs={"hostName": "{name}.redis.cache.windows.net"},
    ),
    arm("purview:Account", "Microsoft.Purview/accounts/{accountName}", "managedResourceGroupName"),
    # machine learning
    arm(
        "machinelearningservices:Workspace",
        _WORKSPACE,
        "kind hbiWorkspace storageAccount keyVault encryption.status enableServiceSideCMKEncryption",
        outputs={"workspaceId": "{uuid}", "mlFlowTrackingUri": "azureml://{location}.api.azureml.ms/mlflow/v1.0{id}"},
    ),
    arm("machinelearningservices:Registry", f"{_ML}/registries/{{registryName}}"),
    arm("machinelearningservices:RegistryModelContainer", f"{_ML}/registries/{{registryName}}/models/{{modelName}}"),
    arm("machinelearningservices:ManagedNetworkSettingsRule", f"{_WORKSPACE}/outboundRules/{{ruleName}}"),
    arm(
        "machinelearningservices:Compute",
        f"{_WORKSPACE}/computes/{{computeName}}",
        "properties.computeType properties.disableLocalAuth properties.properties.vmSize "
        "properties.properties.vmPriority properties.properties.subnet "
        "properties.properties.osType properties.properties.enableNodePublicIp",
    ),
    arm("machinelearningservices:Datastore", f"{_WORKSPACE}/datastores/{{name}}", "properties.datastoreType"),
    arm("machinelearningservices:DataContainer", f"{_WORKSPACE}/data/{{name}}", "properties.dataType"),
    arm(
        "machinelearningservices:DataVersion", f"{_WORKSPACE}/data/{{name}}/versions/{{version}}", "properties.dataUri"
    ),
    arm(
        "machinelearningservices:EnvironmentVersion",
        f"{_WORKSPACE}/environments/{{name}}/versions/{{version}}",
        "properties.image properties.condaFile properties.build properties.osType",
    ),
    arm("machinelearningservices:ModelContainer", f"{_WORKSPACE}/models/{{name}}"),
    arm(
        "machinelearningservices:ModelVersion",
        f"{_WORKSPACE}/models/{{name}}/versions/{{version}}",
        "properties.modelUri properties.modelType",
    ),
    arm(
        "machinelearningservices:FeaturestoreEntityVersion",
        f"{_WORKSPACE}/featurestoreEntities/{{name}}/versions/{{version}}",
        "properties.indexColumns",
    ),
    arm(
        "machinelearningservices:FeaturesetVersion",
        f"{_WORKSPACE}/featuresets/{{name}}/versions/{{version}}",
        "properties.entities properties.specification",
    ),
    arm("machinelearningservices:Job", f"{_WORKSPACE}/jobs/{{id}}", "properties.jobType properties.experimentName"),
    arm("machinelearningservices:Schedule", f"{_WORKSPACE}/schedules/{{name}}"),
    arm(
        "machinelearningservices:OnlineEndpoint",
        f"{_WORKSPACE}/onlineEndpoints/{{endpointName}}",
        "properties.authMode properties.compute",
        outputs={"properties": _endpoint},
    ),
    arm(
        "machinelearningservices:OnlineDeployment",
        f"{_WORKSPACE}/onlineEndpoints/{{endpointName}}/deployments/{{deploymentName}}",
        "properties.endpointComputeType properties.model properties.instanceType",
    ),
    arm(
        "machinelearningservices:BatchEndpoint",
        f"{_WORKSPACE}/batchEndpoints/{{endpointName}}",
        "properties.authMode",
        outputs={"properties": _endpoint},
    ),
    arm(
        "machinelearningservices:BatchDeployment",
        f"{_WORKSPACE}/batchEndpoints/{{endpointName}}/deployments/{{deploymentName}}",
        "properties.model properties.compute",
    ),
    # watching, events, cost
    arm(
        "operationalinsights:Workspace",
        "Microsoft.OperationalInsights/workspaces/{workspaceName}",
        outputs={"customerId": "{uuid}"},
    ),
    arm(
        "applicationinsights:Component",
        "Microsoft.Insights/components/{resourceName}",
        "kind applicationType",
        outputs={
            "instrumentationKey": "{uuid}",
            "appId": "{uuid}",
            "connectionString": "InstrumentationKey={uuid};IngestionEndpoint=https://{location}.in.applicationinsights.azure.com/",
        },
    ),
    arm("monitor:ActionGroup", "Microsoft.Insights/actionGroups/{actionGroupName}"),
    arm("monitor:MetricAlert", "Microsoft.Insights/metricAlerts/{ruleName}", "targetResourceType targetResourceRegion"),
    arm("monitor:ScheduledQueryRule", "Microsoft.Insights/scheduledQueryRules/{ruleName}", "kind"),
    arm("monitor:AutoscaleSetting", "Microsoft.Insights/autoscaleSettings/{autoscaleSettingName}"),
    arm("monitor:DiagnosticSetting", "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}"),
    arm("portal:Dashboard", "Microsoft.Portal/dashboards/{dashboardName}"),
    arm("eventgrid:SystemTopic", _TOPIC, "source topicType"),
    arm("eventgrid:SystemTopicEventSubscription", f"{_TOPIC}/eventSubscriptions/{{eventSubscriptionName}}"),
    arm("logic:Workflow", "Microsoft.Logic/workflows/{workflowName}"),
    arm("security:Pricing", "/{scopeId}/providers/Microsoft.Security/pricings/{pricingName}"),
    arm("consumption:Budget", "/{scope}/providers/Microsoft.Consumption/budgets/{budgetName}", "timeGrain category"),
]

TYPES: dict[str, Arm] = {kind.token: kind for kind in _ALL}
