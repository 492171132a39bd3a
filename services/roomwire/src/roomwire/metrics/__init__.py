"""The Prometheus metrics: one module for each owner of metrics.

Names are `roomwire_<noun>_<unit>[_total]` in base units; every label set is closed. Metrics belong to the process's
composition root, which hands them to whatever counts.
"""
