"""The benchmark: Roomwire and other servers side by side, one core each (`make bench`)."""
