"""Recovery: how a client that was disconnected continues its session."""
