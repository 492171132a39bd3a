"""`python -m gateway`: run one gateway."""

import sys

from gateway.app import GatewayApp
from gateway.settings import Settings
from roomwire import service

if __name__ == "__main__":
    sys.exit(service.main("gateway", settings=Settings, build=GatewayApp))
