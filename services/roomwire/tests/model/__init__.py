"""A simulation of clients, gateways and Redis that looks for schedules which break the log's guarantees.

`python -m model` runs it; docs/model.md says what it covers. Everything is decided by a seed: no clock,
no sockets, no tasks of an event loop. What a gateway does with the log is production's own code: the outbox, the subscriber, the
way back to a live log, the reads, what a client is owed; and what Redis keeps is production's log of one process.
From the ground up, each module imports only those above its own:

- `rules`: the rules, and the bug that each one prevents
- `record`: what happened, as the clients and the log saw it
- `check`: which guarantees a record breaks
- `pipe`: things in flight, and processes that wait for them
- `said`: messages of the record as production carries them
- `kept`: what Redis keeps: production's log of one process, with bugs
- `log`: the scripts that change it, and what only Redis has: epochs, numbers of publishes
- `primary`: the Redis process: order of execution, pushes, crashes, a replica
- `transport`: a client's connection
- `link`: a gateway's connection to Redis
- `wire`: that connection as production's code sees it
- `broken_outbox`, `broken_subscriber`: production's, and such that leave out one rule each
- `reads`: production's reads and its way back to a live log, with bugs
- `replay`: production's decisions about what a client is owed, with bugs
- `publisher`: the outbox, joined to a link
- `history`: how gaps would be found without markers; only a bug does
- `sockets`: a client as its gateway sees it
- `recovery`: a client arrives: a new session, or the old one again
- `requests`: what a gateway does for its sockets
- `observer`: what the log tells a gateway
- `gateway`: one gateway
- `client`: the official JavaScript client
- `world`: puts them together
- `schedule`: what is done to them, and when
"""
