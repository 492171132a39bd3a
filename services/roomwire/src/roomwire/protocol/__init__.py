"""What stands on the wire, without I/O: frames, packets, headers, addresses."""
