"""A serving process: its life cycle, its ports, HTTP, TLS and settings."""
