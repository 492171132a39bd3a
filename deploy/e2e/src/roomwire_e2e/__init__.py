"""Tests Roomwire on a real cluster, under load, through everything that an operator and a failing cluster do: `make e2e`."""
