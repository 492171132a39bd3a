"""Load on a running system through its ingress: locust users that log in, chat and are judged by the fault suite's oracle."""
