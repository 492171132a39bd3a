"""What work costs: observations, the model that is fitted to them, and whether it holds."""
