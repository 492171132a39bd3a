"""Every limit on what a client may cost, and the accounting against it."""
