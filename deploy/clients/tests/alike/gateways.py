"""The application of `gateways.ts`, which is for NestJS: `test_nestjs.py` compares what clients receive from both."""

from answers import Answers
from around import Broken, Cards, noting, surrounding
from chain import Chain
from rooms import Rooms

from roomwire import App, Filter, User
from roomwire.errors import NotFound, Unauthenticated
from roomwire.rooms.handshake import Handshake


async def authenticate(handshake: Handshake) -> User:
    """Admit every client that does not come without a name."""
    match handshake.auth:
        case {"name": "nameless"}:
            raise Unauthenticated("Say who you are.")
    return User.anonymous()


app = App(
    Answers,
    Chain,
    Rooms,
    authenticate=authenticate,
    guards=[noting("app")],
    interceptors=[surrounding("app")],
    filters=[Filter(Broken, lambda error, call: NotFound("It is broken."))],
)
app.provide(Cards, Cards())
