"""The jobs that gateways pass to the worker through a list in Redis."""

import os

import msgspec

REDIS_URL = os.environ.get("ROOMWIRE_REDIS_URL", "redis://127.0.0.1:6379/0")
QUESTIONS = "assistant:questions"


class Job(msgspec.Struct):
    """A question, the id of its answer, and the client that asked."""

    answer: str
    client: str
    question: str
