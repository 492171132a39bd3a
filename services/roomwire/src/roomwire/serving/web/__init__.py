"""The common parts of the services' HTTP APIs: failures, limits, headers and counts. Requires FastAPI.

Each API owns its function; all APIs share one form of failures: `{"error": {"code", "message", "retryable"}}`.
"""
