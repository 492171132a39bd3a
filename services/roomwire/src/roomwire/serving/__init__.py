"""A serving process: its life, its ports, HTTP, TLS and settings."""
