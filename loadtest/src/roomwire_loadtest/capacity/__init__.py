"""Measures the costs of Roomwire, fits and checks a model of them, and plans a deployment by it (`make capacity`)."""
