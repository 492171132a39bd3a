"""Load on a running system through its ingress: simulated users that sign in, chat and are judged by the fault suite's oracle."""
