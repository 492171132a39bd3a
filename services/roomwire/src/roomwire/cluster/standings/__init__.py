"""The standings of users over the whole deployment: the number of their sockets, their bans, and their mutes."""
