"""Profiles a gateway under load (`make profile`)."""
