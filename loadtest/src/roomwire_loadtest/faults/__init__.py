"""The fault suite: what happens to messages when gateways, Redis, auth or the network fail (`make faults`)."""
