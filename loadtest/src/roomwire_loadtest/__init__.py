"""Measurements of Roomwire: compared with other servers, under load, under faults, over time, and for capacity planning."""
