"""The stack on Google Cloud under Pulumi's mocks: see :mod:`mocking`."""

from __future__ import annotations

from typing import Any

from mocking import Recorder, main
from pulumi.runtime import MockCallArgs, MockResourceArgs

PROJECT, NUMBER = "lending-models", "123456789012"
END = "0a1b2c3"
"""What Pulumi puts behind a name that it chooses."""


class Gcp(Recorder):
    """Answers as Google Cloud does."""

    def known(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        kind, inputs = args.typ.rpartition(":")[2], args.inputs
        here = f"projects/{PROJECT}/locations/{self.region}"
        known: dict[str, Any] = {"name": inputs.get("name", args.name), "project": PROJECT}
        identity = f"{here}/{kind}/{known['name']}"
        if kind == "KeyRing":
            known["name"] = f"{args.name}-{END}"
            identity = f"{here}/keyRings/{known['name']}"
        if kind == "CryptoKey":
            known["name"] = f"{args.name}-{END}"
            identity = f"{inputs['keyRing']}/cryptoKeys/{known['name']}"
        if kind == "Account":
            email = f"{inputs['accountId']}@{PROJECT}.iam.gserviceaccount.com"
            identity = f"projects/{PROJECT}/serviceAccounts/{email}"
            known |= {"email": email, "member": f"serviceAccount:{email}", "name": identity}
        if kind == "IAMCustomRole":
            identity = f"projects/{PROJECT}/roles/{inputs['roleId']}"
            known["name"] = identity
        if kind == "WorkloadIdentityPool":
            known["name"] = (
                f"projects/{NUMBER}/locations/global/workloadIdentityPools/{inputs['workloadIdentityPoolId']}"
            )
        if kind == "Repository":
            known |= {"name": inputs["repositoryId"]}
            known["registryUri"] = f"{self.region}-docker.pkg.dev/{PROJECT}/{inputs['repositoryId']}"
        if kind == "DatabaseInstance":
            known |= {"dnsName": f"abc123.{self.region}.sql.goog.", "pscServiceAttachmentLink": f"{here}/attachment"}
        if kind == "Address":
            known["address"] = "10.80.0.9"
        if kind == "Topic":
            identity = f"projects/{PROJECT}/topics/{known['name']}"
        if kind == "ProjectBucketConfig":
            identity = f"{here}/buckets/{inputs['bucketId']}"
        return identity, known

    def call(self, args: MockCallArgs) -> dict[str, Any]:
        match args.token.rpartition(":")[2]:
            case "getKMSCryptoKeyVersion":
                key = args.args["cryptoKey"]
                return {"name": f"{key}/cryptoKeyVersions/1", "publicKeys": [{"pem": "PEM", "algorithm": "EC"}]}
            case "getProject":
                return {"number": NUMBER, "billingAccount": "0A0A0A-0B0B0B-0C0C0C"}
            case "getProjectServiceAccount":
                return {"emailAddress": f"service-{NUMBER}@gs-project-accounts.iam.gserviceaccount.com"}
            case "getProjectCmekSettings":
                return {"serviceAccountId": f"service-{NUMBER}@gcp-sa-logging.iam.gserviceaccount.com"}
            case "getDefaultServiceAccount":
                return {"email": f"bq-{NUMBER}@bigquery-encryption.iam.gserviceaccount.com"}
        return super().call(args)


if __name__ == "__main__":
    main(Gcp)
