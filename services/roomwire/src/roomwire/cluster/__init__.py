"""What can be asked of the clients of all nodes, and what the nodes answer."""
