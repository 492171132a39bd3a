"""Roomwire on a real cluster, under load, while an operator and a bad day do their worst: `make e2e`."""
