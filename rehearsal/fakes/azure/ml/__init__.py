"""Azure ML through Azure Resource Manager: assets, jobs, endpoints and deployments; all else is refused."""
