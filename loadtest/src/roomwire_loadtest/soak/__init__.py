"""A long run with users connecting and disconnecting, after which nothing may have grown: `make soak`."""
