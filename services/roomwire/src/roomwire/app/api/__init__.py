"""The HTTP API for backends: it acts in an application without being a client of it.

`callers` says who asks, `rate` how often, `gate` lets in; `bodies` and `routes` are HTTP, `actions` does it, as far as any
application can: one that can do more has actions of its own. On a port of its own, which no ingress leads to unless it is told to.
"""
