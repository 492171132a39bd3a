"""Processes of their own for attackers and crowds, so that they delay no clock of the program that measures.

They are forked from one process that has imported what they need, and not from this program, which has threads.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

_JOIN_S: Final = 30.0
_SERVER: Final = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["__main__", "roomwire_loadtest.economics.attacks"])


@contextmanager
def process(
    target: Callable[..., None], *args: object, is_endless: bool = False
) -> Iterator[Callable[[], Any]]:
    """Run a function in a process of its own; yields a function that waits for what it sends.

    Args:
        target: The function. Its first argument is the end of a pipe.
        args: Its other arguments.
        is_endless: Whether it does not end by itself.

    """
    ours, its = _SERVER.Pipe()
    running = _SERVER.Process(target=target, args=(its, *args), daemon=True)
    running.start()
    try:
        yield ours.recv
    finally:
        if not is_endless:
            running.join(_JOIN_S)
        running.kill()
        running.join()
        ours.close()
