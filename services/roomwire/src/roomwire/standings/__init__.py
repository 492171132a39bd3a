"""What users may do over the whole deployment: how many sockets each has, who is banned, and who is muted."""
