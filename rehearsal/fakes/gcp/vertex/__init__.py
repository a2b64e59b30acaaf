"""Vertex AI over REST: custom jobs, models, endpoints, and what they log; all else is refused in one sentence."""
