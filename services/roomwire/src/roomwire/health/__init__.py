"""Whether the process can serve: the state of what it depends on, of its clock and of its event loop."""
