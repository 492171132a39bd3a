"""A chat of Chainlit: it counts what was said to it, streams, and asks."""

import chainlit
from chainlit.server import sio


@chainlit.on_chat_start
async def begin() -> None:
    """Say which server serves."""
    chainlit.user_session.set("said", 0)
    await chainlit.Message(content=f"Served by {type(sio).__module__.partition('.')[0]}").send()


@chainlit.on_message
async def answer(message: chainlit.Message) -> None:
    """Answer what was said."""
    said = chainlit.user_session.get("said") + 1
    chainlit.user_session.set("said", said)
    if message.content == "stream":
        streamed = chainlit.Message(content="")
        for word in range(200):
            await streamed.stream_token(f"word{word} ")
        await streamed.send()
    elif message.content == "ask":
        reply = await chainlit.AskUserMessage(content="Which colour?", timeout=60).send()
        await chainlit.Message(content=f"You like {reply['output'] if reply else 'none'}").send()
    else:
        await chainlit.Message(content=f"Message {said}: {message.content}").send()
