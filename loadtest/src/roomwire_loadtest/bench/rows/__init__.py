"""The rows of the benchmark: what is done to one server in one round."""
