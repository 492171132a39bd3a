"""A deployment of several logs: a namespace belongs to one of them, a connection has sockets in some, and a primary fails alone.

Each log is a `World` of the model of one log, with its rules and its check. What is new is what joins them: connections that carry
sockets of several logs (`line`), processes that serve several (`process`), and what happens to all of them (`deployment`). `rules`
lists what breaks when a rule is left out. No production code implements these rules yet.
"""
