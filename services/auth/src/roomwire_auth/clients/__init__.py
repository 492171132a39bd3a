"""Clients: backends that obtain access tokens with a secret of their own."""
