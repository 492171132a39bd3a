"""How a client that was disconnected goes on where it was."""
