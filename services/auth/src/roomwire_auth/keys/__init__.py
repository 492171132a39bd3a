"""The keys that sign, and the access tokens that they sign."""
