"""The rows of the benchmark: the measurement of one server in one round."""
