"""Whole programs through the driver: what they make, change, replace, take over and leave behind."""

from __future__ import annotations

import json
import shutil

import pytest

from trivet.core.errors import ConfigError, PlatformError

from .conftest import Stack, changed, make_stack

ENGINES = ["embedded"] + (["pulumi"] if shutil.which("pulumi") else [])

BUCKET = """
import pulumi_aws as aws
bucket = aws.s3.Bucket("data", tags={"purpose": %r})
pulumi.export("name", bucket.bucket)
pulumi.export("arn", bucket.arn)
"""


@pytest.mark.parametrize("engine", ENGINES)
def test_a_bucket_from_its_making_to_its_end(stack: Stack, tmp_path, engine: str, request):
    stack = make_stack(tmp_path / engine, engine)
    request.node.user_properties.append(("engine", stack.driver.engine))
    assert stack.preview(BUCKET % "training") == {"create": 2}
    s3 = stack.client("s3")
    assert s3.list_buckets()["Buckets"] == []
    assert stack.up() == {"create": 2}
    [bucket] = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert bucket.startswith("data-") and len(bucket) == len("data-") + 7
    assert stack.outputs() == {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "purpose", "Value": "training"}]
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "eu-central-1"
    assert stack.up() == {}

    assert stack.up(BUCKET % "scoring") == {"update": 1}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "purpose", "Value": "scoring"}]
    assert stack.driver.destroy() == {"delete": 2}
    assert s3.list_buckets()["Buckets"] == []
    assert stack.store.all() == []


ENDPOINT = """
import pulumi_aws as aws
role = aws.iam.Role("ml", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": []}))
model = aws.sagemaker.Model("loan", name="loan", execution_role_arn=role.arn, primary_container={"image": %r})
variant = {"variant_name": "a", "model_name": model.name, "instance_type": %r, "initial_instance_count": 1}
made = aws.sagemaker.EndpointConfiguration("loan", name_prefix="loan-", production_variants=[variant])
"""
SERVED = (
    ENDPOINT
    + """
endpoint = aws.sagemaker.Endpoint("loan", endpoint_config_name=made.name)
"""
)


def test_what_is_immutable_is_replaced_under_a_new_name_or_deleted_first(stack: Stack):
    small, large = "ml.m5.large", "ml.m5.xlarge"
    stack.up(SERVED % ("image:1", small))
    ml = stack.client("sagemaker")
    [before] = [one["EndpointConfigName"] for one in ml.list_endpoint_configs()["EndpointConfigs"]]
    [endpoint] = [one["EndpointName"] for one in ml.list_endpoints()["Endpoints"]]
    assert before.startswith("loan-") and len(before) == len("loan-") + 26

    assert stack.preview(SERVED % ("image:1", large)) == {"replace": 1, "update": 1}
    assert stack.up() == {"replace": 1, "update": 1}
    [after] = [one["EndpointConfigName"] for one in ml.list_endpoint_configs()["EndpointConfigs"]]
    assert after.startswith("loan-") and after != before
    variants = ml.describe_endpoint_config(EndpointConfigName=after)["ProductionVariants"]
    assert variants[0]["InstanceType"] == large
    assert ml.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"] == after

    # The model's name is the program's: the old one makes room for the new one, and what was made of it goes before. An
    # endpoint that serves by it could not be updated any more: AWS needs the configuration that it has.
    assert stack.up(ENDPOINT % ("image:1", large)) == {"delete": 1}
    assert stack.up(ENDPOINT % ("image:2", large)) == {"replace": 2}
    assert ml.describe_model(ModelName="loan")["PrimaryContainer"]["Image"] == "image:2"
    assert stack.up() == {}
    stack.driver.destroy()
    assert ml.list_models()["Models"] == ml.list_endpoints()["Endpoints"] == []
    assert stack.client("iam").list_roles()["Roles"] == []


ROLE = """
import pulumi_aws as aws
aws.iam.Role("train", name="train", assume_role_policy=json.dumps({"Version": "2012-10-17", "Statement": []})%s)
"""


def test_what_the_program_no_longer_says_is_cleared(stack: Stack):
    stack.up(ROLE % ", description='trains', tags={'a': 'b'}")
    iam = stack.client("iam")
    assert iam.get_role(RoleName="train")["Role"]["Description"] == "trains"
    assert stack.up(ROLE % "") == {"update": 1}
    role = iam.get_role(RoleName="train")["Role"]
    assert not role.get("Description") and not role.get("Tags")
    assert changed(stack.driver.refresh()) == {} == stack.up()


def test_a_refresh_finds_what_was_changed_or_deleted_outside(stack: Stack):
    program = BUCKET + "\naws.sns.Topic('alarms', display_name='Alarms')\n"
    stack.up(program % "training")
    s3, sns = stack.client("s3"), stack.client("sns")
    [bucket] = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    [topic] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "stolen", "Value": "yes"}]})
    sns.delete_topic(TopicArn=topic)

    assert changed(stack.driver.refresh()) == {"update": 1, "delete": 1}
    assert stack.preview() == {"update": 1, "create": 1}
    assert stack.up() == {"update": 1, "create": 1}
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "purpose", "Value": "training"}]
    [again] = [one["TopicArn"] for one in sns.list_topics()["Topics"]]
    assert again != topic
    assert changed(stack.driver.refresh()) == {}


ADOPT = """
import pulumi_aws as aws
mine = aws.ecr.Repository("images", name="images", image_tag_mutability=%r, tags={"a": "b"},
                             opts=ResourceOptions(import_="images"))
theirs = aws.kms.Key.get("theirs", %r)
pulumi.export("url", mine.repository_url)
pulumi.export("theirs", theirs.description)
"""


def test_what_is_there_already_is_imported_or_only_read(stack: Stack):
    ecr, kms = stack.client("ecr"), stack.client("kms")
    ecr.create_repository(repositoryName="images", imageTagMutability="IMMUTABLE", tags=[{"Key": "a", "Value": "b"}])
    key = kms.create_key(Description="theirs")["KeyMetadata"]["KeyId"]

    stack.say(ADOPT % ("MUTABLE", key))
    with pytest.raises(ConfigError, match="imageTagMutability"):
        stack.up()
    assert stack.up(ADOPT % ("IMMUTABLE", key)) == {"import": 1, "read": 1}
    assert stack.outputs()["theirs"] == "theirs"
    assert stack.outputs()["url"].endswith("/images")
    assert stack.up() == {"read": 1}
    stack.driver.destroy()
    assert ecr.describe_repositories()["repositories"] == []
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled"
    with pytest.raises(ConfigError, match="There is no"):
        stack.up(ADOPT % ("IMMUTABLE", key))


FUNCTIONS = """
import pulumi_aws as aws
tagged = aws.Provider("tagged", region="us-east-1", default_tags={"tags": {"project": "lending"}},
                      endpoints=[{"s3": %r, "sts": %r}])
who = aws.get_caller_identity()
bucket = aws.s3.Bucket("there", tags={"own": "1"}, opts=ResourceOptions(provider=tagged))
document = aws.iam.get_policy_document_output(statements=[{
    "actions": ["s3:GetObject"],
    "resources": [bucket.arn.apply("{}/*".format)],
    "principals": [{"type": "AWS", "identifiers": [who.account_id]}],
    "conditions": [{"test": "Bool", "variable": "aws:SecureTransport", "values": ["true"]}],
}])
pulumi.export("document", document.json)
pulumi.export("region", aws.get_region().region)
pulumi.export("zones", aws.get_availability_zones(state="available").names)
pulumi.export("partition", aws.get_partition().partition)
"""


def test_functions_and_a_provider_of_the_program_s_own(stack: Stack, fresh: str):
    assert stack.preview(FUNCTIONS % (fresh, fresh)) == {"create": 3}
    stack.up()
    outputs = stack.outputs()
    [bucket] = [one["Name"] for one in stack.client("s3").list_buckets()["Buckets"]]
    assert json.loads(outputs["document"]) == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
                "Principal": {"AWS": "123456789012"},
                "Condition": {"Bool": {"aws:SecureTransport": "true"}},
            }
        ],
    }
    assert outputs["region"] == "eu-central-1" and outputs["partition"] == "aws"
    assert outputs["zones"] == ["eu-central-1a", "eu-central-1b", "eu-central-1c"]
    tags = stack.client("s3", "us-east-1").get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"project": "lending", "own": "1"}
    # The provider's own tags are no input of the bucket, and a change of them reaches it.
    assert changed(stack.driver.refresh()) == {} == stack.up()
    stack.up((FUNCTIONS % (fresh, fresh)).replace('"project": "lending"', '"project": "loans"'))
    tags = stack.client("s3", "us-east-1").get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"project": "loans", "own": "1"}


SECRET = """
import pulumi_aws as aws
vault = aws.secretsmanager.Secret("database", name="database", recovery_window_in_days=0)
aws.secretsmanager.SecretVersion("database", secret_id=vault.id, secret_string=pulumi.Config().require_secret("word"))
"""


def test_a_secret_reaches_moto_and_stays_sealed_in_the_state(stack: Stack):
    stack.driver.set_config({}, {"lending:word": "correct-horse"})
    stack.up(SECRET)
    found = stack.client("secretsmanager").get_secret_value(SecretId="database")
    assert found["SecretString"] == "correct-horse"
    state = [path for path in stack.driver.home.parent.rglob("*.json") if "correct-horse" in path.read_text()]
    assert state == []
    assert stack.up() == {}


@pytest.mark.parametrize(
    ("name", "point"),
    [("'exact'", "plugin.create.begun"), ("None", "plugin.create.begun"), ("None", "plugin.create.done")],
)
def test_a_create_that_was_cut_off_leaves_one_object_in_the_end(stack: Stack, name: str, point: str):
    stack.say(f"import pulumi_aws as aws\naws.s3.Bucket('data', bucket={name}, tags={{'a': 'b'}})")
    with stack.begin("up", point) as process:
        _, errors = process.communicate()
    assert process.returncode and "cut off" in errors
    s3 = stack.client("s3")
    [orphan] = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert stack.up() == {"create": 1}
    [bucket] = [one["Name"] for one in s3.list_buckets()["Buckets"]]
    assert (bucket == orphan) == (name == "'exact'")
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == [{"Key": "a", "Value": "b"}]
    assert [entry.id for entry in stack.store.all()] == [bucket]
    stack.driver.destroy()
    assert s3.list_buckets()["Buckets"] == [] and stack.store.all() == []


def test_what_another_made_under_the_name_is_not_taken(stack: Stack):
    stack.client("ecr").create_repository(repositoryName="images")
    stack.say("import pulumi_aws as aws\naws.ecr.Repository('images', name='images')")
    with pytest.raises(PlatformError, match=r"RepositoryAlreadyExistsException.*another name"):
        stack.up()
    assert [one["repositoryName"] for one in stack.client("ecr").describe_repositories()["repositories"]] == ["images"]


GOOGLE = """
import pulumi_gcp as gcp
ring = gcp.kms.KeyRing("keys", location="europe-west3")
key = gcp.kms.CryptoKey("data", key_ring=ring.id, rotation_period="7776000s")
agent = f"service-{gcp.organizations.get_project().number}@gs-project-accounts.iam.gserviceaccount.com"
leave = gcp.kms.CryptoKeyIAMMember("leave", crypto_key_id=key.id, role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
                                   member=f"serviceAccount:{agent}")
bucket = gcp.storage.Bucket("data", location="EUROPE-WEST3", encryption={"default_kms_key_name": key.id}, labels=%r,
                            opts=pulumi.ResourceOptions(depends_on=[leave]))
gcp.storage.BucketIAMMember("reader", bucket=bucket.name, role="roles/storage.objectViewer", member="group:a@b.c")
account = gcp.serviceaccount.Account("train", account_id="train-loans")
endpoint = gcp.vertex.AiEndpoint("loan", display_name="loan", location="europe-west3", region="europe-west3")
table = gcp.bigquery.Table("runs", dataset_id=gcp.bigquery.Dataset("loans", dataset_id="loans").dataset_id,
                           table_id="runs", deletion_protection=%s)
pulumi.export("email", account.email)
pulumi.export("url", bucket.url)
pulumi.export("endpoint", endpoint.name)
pulumi.export("project", gcp.organizations.get_client_config().project)
"""


def test_google_cloud_in_the_strict_store(stack: Stack):
    assert stack.preview(GOOGLE % ({"a": "b"}, True)) == {"create": 10}
    assert stack.stored("gcp") == {}
    stack.up()
    outputs = stack.outputs()
    assert outputs["email"] == "train-loans@lending.iam.gserviceaccount.com"
    assert outputs["project"] == "lending"
    assert outputs["endpoint"].isdigit() and len(outputs["endpoint"]) == 10
    bucket = stack.stored("gcp")[outputs["url"].removeprefix("gs://")]
    assert bucket["effectiveLabels"] == {"goog-pulumi-provisioned": "true", "a": "b"}
    assert bucket["encryption"]["defaultKmsKeyName"].startswith(
        "projects/lending/locations/europe-west3/keyRings/keys-"
    )
    assert stack.up() == {}

    with pytest.raises(PlatformError, match="protected from deletion"):
        stack.driver.destroy()
    assert stack.up(GOOGLE % ({"a": "c"}, False))["update"] >= 1
    assert changed(stack.driver.destroy())["delete"] >= 1
    assert stack.stored("gcp") == {}


AZURE = """
import pulumi_azure_native as azure
group = azure.resources.ResourceGroup("lending")
identity = azure.managedidentity.UserAssignedIdentity("train", resource_group_name=group.name)
account = azure.storage.StorageAccount("runs", resource_group_name=group.name, kind="StorageV2",
                                       sku={"name": "Standard_GZRS"}, allow_blob_public_access=False, is_hns_enabled=%s)
azure.storage.BlobContainer("data", account_name=account.name, resource_group_name=group.name)
workspace = azure.machinelearningservices.Workspace("ml", resource_group_name=group.name, identity={
    "type": "UserAssigned", "user_assigned_identities": [identity.id]}, storage_account=account.id, tags={"a": "b"})
azure.machinelearningservices.OnlineEndpoint("loan", resource_group_name=group.name, workspace_name=workspace.name,
                                             properties={"auth_mode": "AADToken", "traffic": {}})
azure.authorization.RoleAssignment("reader", scope=account.id, principal_id=identity.principal_id,
    principal_type="ServicePrincipal", role_definition_id="/providers/Microsoft.Authorization/roleDefinitions/1")
pulumi.export("account", account.name)
pulumi.export("blob", account.primary_endpoints.blob)
pulumi.export("workspace", workspace.id)
pulumi.export("identities", workspace.identity.user_assigned_identities)
pulumi.export("client", azure.authorization.get_client_config().subscription_id)
"""


def test_azure_in_the_strict_store(stack: Stack):
    assert stack.preview(AZURE % False) == {"create": 8}
    stack.up()
    outputs, stored = stack.outputs(), stack.stored("azure-native")
    account = outputs["account"]
    assert account.startswith("runs") and len(account) == len("runs") + 8
    assert outputs["blob"] == f"https://{account}.blob.core.windows.net/"
    assert outputs["client"] == "00000000-0000-0000-0000-000000000000"
    assert stored[outputs["workspace"]]["location"] == "westeurope"
    assert list(outputs["identities"]) == [one for one in stored if "userAssignedIdentities" in one]
    assert stack.up() == {}

    # What takes the account's id is made anew with it, and what lies in the account goes with the old one.
    counts = stack.up(AZURE % True)
    assert counts["replace"] >= 1
    new = stack.outputs()["account"]
    assert new != account and not any(f"/{account}/" in one for one in stack.stored("azure-native"))
    stack.driver.destroy()
    assert stack.stored("azure-native") == {}
