"""The worker of an assistant: takes questions and streams each answer to the client that asked, token by token."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator

import msgspec
from jobs import QUESTIONS, REDIS_URL, Job
from redis.asyncio import Redis

from roomwire import AsyncEmitter
from roomwire.errors import Unavailable

TOKENS_PER_S = 50
MOST_TOKENS = 10_000
WAIT_S = 1.0


async def tokens(question: str) -> AsyncIterator[str]:
    """Answer as a language model would, which belongs in this place: this one can count."""
    number = re.search(r"\d{1,9}", question)
    for count in range(1, min(int(number[0]) if number else 1, MOST_TOKENS) + 1):
        yield f"{count} "
        await asyncio.sleep(1 / TOKENS_PER_S)


async def answer(job: Job, emitter: AsyncEmitter) -> None:
    """Stream an answer. Its client gets each token once, in order, whichever gateways die meanwhile."""
    numbers = itertools.count()

    async def say(event: str, data: object = None) -> None:
        message_id = f"{job.answer}:{next(numbers)}"
        while True:
            try:
                return await emitter.emit(event, data, to=job.client, message_id=message_id)
            except Unavailable:
                # Under the same id it is delivered once, also if only the answer of Redis was lost.
                await asyncio.sleep(WAIT_S)

    async for token in tokens(job.question):
        await say("token", token)
    await say("done")


async def main() -> None:
    """Answer one question after the other."""
    async with AsyncEmitter(REDIS_URL) as emitter, Redis.from_url(REDIS_URL) as redis:
        print("waiting for questions", flush=True)
        while True:
            if taken := await redis.brpop([QUESTIONS], timeout=WAIT_S):
                await answer(msgspec.json.decode(taken[1], type=Job), emitter)


asyncio.run(main())
