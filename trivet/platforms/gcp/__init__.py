"""Google Cloud, over REST with google-auth: Vertex AI, Cloud Storage, Cloud Monitoring, Cloud Logging and Cloud KMS."""
