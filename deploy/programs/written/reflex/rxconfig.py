"""The settings of the program of Reflex."""

import reflex

config = reflex.Config(app_name="board", telemetry_enabled=False)
