"""The HTTP API for backends: what a server of yours may do in the chat without being a client of it.

`callers` says who asks, `rate` how often, `gate` lets in; `bodies` and `routes` are HTTP, `actions` does it. On a port of its
own, which no ingress leads to unless it is told to.
"""
