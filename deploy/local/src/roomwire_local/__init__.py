"""The whole system on one machine, as `make up` runs it: a supervisor, the services, Valkey and Traefik.

Tests, load runs and measurements that need a running system start it by `roomwire_local.system`.
"""
