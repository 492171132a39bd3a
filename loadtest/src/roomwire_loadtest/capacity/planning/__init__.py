"""Plans pods for a workload from the measured costs. Pure, except for reading files."""
