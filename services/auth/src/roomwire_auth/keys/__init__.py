"""The signing keys, and the access tokens that they sign."""
