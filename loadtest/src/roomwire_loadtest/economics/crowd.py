"""The crowd of the attacked system: members of one room, who read and answer pings as clients do."""

import select
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from roomwire_loadtest.economics.processes import process
from roomwire_loadtest.economics.system import joined
from roomwire_loadtest.economics.things import CROWD


@contextmanager
def crowd(port: int, token: str, members: int) -> Iterator[None]:
    """Keep members in the crowd while the context lasts, in a process of their own.

    Args:
        port: The gateway's port.
        token: The token of each.
        members: Their number.

    """
    with process(_read, port, token, members, is_endless=True) as gathered:
        gathered()
        yield


def _read(pipe: Connection, port: int, token: str, number: int) -> None:
    members, poller = {}, select.poll()
    for _ in range(number):
        member = joined(port, token, CROWD)
        members[member.fileno()] = member
        poller.register(member.fileno(), select.POLLIN)
    pipe.send(number)
    while True:
        for descriptor, _ in poller.poll():
            members[descriptor].answer_pings()
