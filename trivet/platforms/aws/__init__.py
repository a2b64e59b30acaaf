"""AWS, through boto3: SageMaker, S3, CloudWatch and KMS."""
