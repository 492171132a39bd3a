"""Measurements of Roomwire: beside other servers, under load, under faults, over time, and what a deployment needs."""
