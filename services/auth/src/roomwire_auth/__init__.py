"""The auth service: accounts and guests, access and refresh tokens, and the keys to verify them with."""
