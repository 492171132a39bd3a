"""The economics of strangers: the cost of each thing that a client can send, for its sender and for the service."""
