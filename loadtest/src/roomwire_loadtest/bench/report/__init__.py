"""The report of a benchmark run: a table, the targets, plots."""
