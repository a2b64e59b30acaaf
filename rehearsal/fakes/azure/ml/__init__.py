"""Azure ML through Azure Resource Manager: assets, jobs, endpoints, deployments; all else is refused in one sentence."""
