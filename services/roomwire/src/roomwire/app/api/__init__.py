"""The HTTP API for backends: it acts in an application without being a client of it.

`callers` identifies callers, `rate` limits them, and `gate` admits them. `bodies` and `routes` are HTTP. `actions` performs what any
application supports; an application that supports more has actions of its own. The API has its own port, which no ingress exposes
unless configured.
"""
