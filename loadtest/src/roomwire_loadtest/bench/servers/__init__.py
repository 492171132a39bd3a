"""The compared servers, and how they are started on one core."""
