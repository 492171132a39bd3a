"""The ordered log: its contract and its pure core; `memory` and `redis` keep it."""
