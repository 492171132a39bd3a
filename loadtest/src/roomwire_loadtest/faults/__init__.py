"""The fault suite: what becomes of messages when gateways, Redis, auth or the network fail (`make faults`)."""
