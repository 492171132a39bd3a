"""Where a gateway spends its time under a load (`make profile`)."""
