"""The identity and permissions of a client: tokens, keys, claims, capabilities, revocations."""
