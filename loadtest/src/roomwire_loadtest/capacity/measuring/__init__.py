"""Takes the measurements on a running system."""
