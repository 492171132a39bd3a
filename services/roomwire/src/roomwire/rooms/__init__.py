"""The rooms of one node: their members, and how messages reach them."""
