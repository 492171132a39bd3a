"""A simulation of clients, gateways and Redis that looks for schedules which break the log's guarantees.

`python -m model` runs it; docs/model.md says what it covers. Everything is decided by a seed: no clock,
no sockets, no tasks of an event loop. From the ground up, each module imports only those above its own:

- `rules`: the rules, and the bug that each one prevents
- `record`: what happened, as the clients and the log saw it
- `check`: which guarantees a record breaks
- `pipe`: things in flight, and processes that wait for them
- `log`: the data in Redis and the scripts that change them
- `primary`: the Redis process: order of execution, pushes, crashes, a replica
- `transport`: a client's connection
- `link`: a gateway's connection to Redis
- `history`: reading a room's history so that a gap shows
- `recovery`: a client arrives: a new session, or the old one again
- `gateway`: one gateway
- `client`: the official JavaScript client
- `world`: puts them together
- `schedule`: what is done to them, and when
"""
