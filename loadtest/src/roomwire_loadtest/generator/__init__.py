"""The load generator: many clients in one thread, from the bytes of a frame to a crowd that sends on schedule."""
