"""Sessions against a model of them: whatever happens in whatever order, the set, the tokens and what gateways hear agree."""

import random

import pytest

from roomwire.errors import Unauthenticated
from roomwire.identity.tokens import User
from roomwire_auth.errors import RefreshTokenReused
from roomwire_auth.sessions.sessions import Sessions, session_of

USERS = [User(f"account:{number}", f"Ann{number}", "account") for number in range(2)]
MOST = 4
STEPS = 150


class World:
    """The real sessions, and what is known of them: of each its user, its one good token and its used ones."""

    def __init__(self, store, seed):
        self.store = store
        self.sessions = Sessions(store, account_ttl_s=1000, guest_ttl_s=100, max_sessions=MOST)
        self.choose = random.Random(seed)
        self.lasting = {}
        self.ended = {}

    def of(self, user):
        return {name for name, (whose, _) in self.lasting.items() if whose == user}

    def end(self, *names):
        for name in names:
            self.ended[name] = self.lasting.pop(name)[1]

    def pick(self, names):
        return self.choose.choice(sorted(names)) if names else None

    async def open(self, user):
        full = len(self.of(user)) == MOST
        opened = await self.sessions.open(user)
        assert full is bool(opened.displaced)
        assert {*opened.displaced} <= self.of(user)
        self.end(*opened.displaced)
        self.lasting[session_of(opened.token)] = (user, [opened.token])

    async def rotate(self, user):
        if name := self.pick(self.of(user)):
            tokens = self.lasting[name][1]
            rotation = await self.sessions.rotate(tokens[-1])
            assert (user, name) == (rotation.user, session_of(rotation.token))
            tokens.append(rotation.token)

    async def reuse(self, user):
        name = self.pick({name for name in self.of(user) if len(self.lasting[name][1]) > 1})
        if name:
            with pytest.raises(RefreshTokenReused):
                await self.sessions.rotate(self.choose.choice(self.lasting[name][1][:-1]))
            self.end(name)

    async def try_ended(self, _):
        if name := self.pick(self.ended):
            token = self.choose.choice(self.ended[name])
            with pytest.raises(Unauthenticated):
                await self.sessions.rotate(token)
            assert await self.sessions.end(token) is None

    async def end_by_token(self, user):
        if name := self.pick(self.of(user)):
            assert user.id == await self.sessions.end(self.choose.choice(self.lasting[name][1]))
            self.end(name)

    async def end_by_name(self, user):
        name = self.pick({*self.lasting, *self.ended})
        if name:
            is_own = name in self.of(user)
            assert is_own is await self.sessions.end_named(user.id, name)
            self.end(*([name] if is_own else []))

    async def end_all(self, user):
        expected = self.of(user)
        assert expected == {*await self.sessions.end_all(user.id)}
        self.end(*expected)

    async def check(self):
        for user in USERS:
            assert self.of(user) == {session.id for session in await self.sessions.of_user(user.id)}
        entries = [fields for _, fields in await self.store.client.xrange(self.store.revocations)]
        told = [fields[b"session"].decode() for fields in entries if b"session" in fields]
        assert sorted(self.ended) == sorted(told)
        assert len(self.lasting) == len(await self.store.client.keys("*:session:*"))


@pytest.mark.parametrize("seed", range(6))
async def test_sessions_do_as_their_model(store, seed):
    world = World(store, seed)
    # Some more often than others, so that there is something to end.
    steps = [world.open] * 4 + [world.rotate] * 6 + [world.reuse, world.try_ended]
    steps += [world.end_by_token, world.end_by_name]
    for number in range(STEPS):
        step = world.end_all if number % 50 == 49 else world.choose.choice(steps)
        await step(world.choose.choice(USERS))
        await world.check()

    assert world.ended
