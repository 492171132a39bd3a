"""A long run with people coming and going, after which nothing may have grown: `make soak`."""
