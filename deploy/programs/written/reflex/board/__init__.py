"""The program of Reflex."""
