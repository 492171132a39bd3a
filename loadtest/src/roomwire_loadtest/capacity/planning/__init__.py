"""From a workload to pods, by the costs that were measured. Pure but for the reading of files."""
