"""A process that is no gateway: it reports that an order was shipped. Usage: python courier.py ORDER."""

import asyncio
import os
import sys

from roomwire import AsyncEmitter

REDIS_URL = os.environ.get("ROOMWIRE_REDIS_URL", "redis://127.0.0.1:6379/0")


async def main(order: str) -> None:
    """Tell the customer of an order; a report that is sent again is told once."""
    async with AsyncEmitter(REDIS_URL) as emitter:
        await emitter.emit("shipped", {"order": order}, to=order, message_id=f"shipped:{order}")
    print("reported")


asyncio.run(main(sys.argv[1]))
