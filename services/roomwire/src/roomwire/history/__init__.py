"""What was said in rooms lately, for applications that show it; beside the log, which does not know it."""
