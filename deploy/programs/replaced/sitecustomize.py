"""Replaces the class `socketio.AsyncServer` by `roomwire.Server`, before a program imports anything.

Python imports this module by itself where its folder is on `PYTHONPATH`, and that is all that distinguishes a run on Roomwire from one
on python-socketio.
"""

import socketio

import roomwire

socketio.AsyncServer = roomwire.Server  # type: ignore[misc]
