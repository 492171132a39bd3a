"""The cost of work: observations, the model that is fitted to them, and whether the model holds."""
