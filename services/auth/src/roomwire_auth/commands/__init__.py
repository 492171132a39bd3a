"""The commands of `python -m roomwire_auth`, beside running the service."""
