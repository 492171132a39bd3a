"""What the services' HTTP APIs share: failures, limits, headers and counts. Needs FastAPI.

What an API does is its service's own; how it fails is told here, once: `{"error": {"code", "message", "retryable"}}`.
"""
