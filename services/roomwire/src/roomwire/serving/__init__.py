"""A process that serves: its life, its ports, HTTP, TLS and settings."""
