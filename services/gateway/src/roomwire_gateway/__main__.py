"""`python -m roomwire_gateway`: runs one gateway, which serves the chat or the application that ROOMWIRE_APP names."""

import sys

from roomwire.app.loading import load
from roomwire.app.node import Node
from roomwire.serving import process
from roomwire_gateway.app import chat
from roomwire_gateway.settings import Settings


def _node(settings: Settings) -> Node:
    return Node(load(settings.app) if settings.app else chat(settings), settings)


if __name__ == "__main__":
    sys.exit(process.main("gateway", module="roomwire_gateway", settings=Settings, build=_node))
