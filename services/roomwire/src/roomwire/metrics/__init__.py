"""The Prometheus metrics: one module for each owner of metrics.

Names are `roomwire_<noun>_<unit>[_total]` in base units; every label set is closed. The process's
composition root creates the metrics and passes them to the parts that count.
"""
