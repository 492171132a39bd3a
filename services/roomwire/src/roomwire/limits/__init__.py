"""Every bound on what a client may cost, and what counts against it."""
