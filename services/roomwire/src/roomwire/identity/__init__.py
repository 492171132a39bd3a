"""Who a client is and what it may do: tokens, keys, claims, capabilities, revocations."""
