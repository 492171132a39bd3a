"""Clients: backends that get access tokens by a secret of their own."""
