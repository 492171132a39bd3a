"""The wire formats, without I/O: frames, packets, headers, addresses."""
