"""Operations on the clients of all nodes, and the nodes' answers."""
