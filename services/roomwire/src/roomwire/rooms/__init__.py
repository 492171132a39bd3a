"""The rooms of one node: who is in them, and how messages get to the members."""
