"""The classes of clients, which have shares of memory: of a process (`accounts`) and of the log's primary (`roomwire.log.guard`). Pure."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ClientClass(StrEnum):
    """A class of clients: the label `class` of metrics, and the name of the class in Redis."""

    GUESTS = "guests"
    USERS = "users"
    SERVICES = "services"


_CLASSES: Final[Mapping[str, ClientClass]] = {
    "account": ClientClass.USERS,
    "service": ClientClass.SERVICES,
}


def class_of(kind: str) -> ClientClass:
    """Return the class of a kind of user (`roomwire.identity.tokens.User.kind`); one that is not known is a guest."""
    return _CLASSES.get(kind, ClientClass.GUESTS)
