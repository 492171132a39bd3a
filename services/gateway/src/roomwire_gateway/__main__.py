"""`python -m roomwire_gateway`: run one gateway."""

import sys

from roomwire.serving import process
from roomwire_gateway.app import GatewayApp
from roomwire_gateway.settings import Settings

if __name__ == "__main__":
    sys.exit(process.main("gateway", module="roomwire_gateway", settings=Settings, build=GatewayApp))
