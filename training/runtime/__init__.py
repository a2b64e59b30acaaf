"""What runs inside a training job: no cloud SDK, no Pulumi, nothing but files in and files out."""
