"""Whether the process can serve: its packages, the state of what it depends on, its clock and its event loop."""
