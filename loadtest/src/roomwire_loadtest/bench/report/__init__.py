"""What is shown of a run of the benchmark: a table, the lines that were to be reached, plots."""
