"""Whether the process can serve: its packages, its dependencies, its clock and its event loop."""
