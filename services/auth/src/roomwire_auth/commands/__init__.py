"""The commands of `python -m roomwire_auth` other than running the service."""
