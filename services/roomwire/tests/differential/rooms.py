"""Programs about rooms."""

import json

import socketio
from differential.harness import program


def told(act):
    """Return what a call returned, or the exception's name."""

    async def call(*args):
        try:
            return [await act(*args)]
        except (ValueError, KeyError) as error:
            return type(error).__name__

    return call


def of(rooms, sid):
    """Return rooms in an order that does not depend on random ids: its own says no more than that it is there."""
    return [sid in rooms, *sorted((room for room in rooms if room != sid), key=str)]


@program(connects=("40", "40/other,"))
def rooms(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def enter(sid, *args):
        return await told(server.enter_room)(named(sid), *args)

    @server.event
    async def leave(sid, *args):
        return await told(server.leave_room)(named(sid), *args)

    @server.event
    async def close(sid, *args):
        return await told(server.close_room)(*map(named, args))

    @server.event
    async def where(sid, *args):
        return of(server.rooms(named(sid), *args), named(sid))

    @server.event
    async def say(sid, room):
        await server.emit("said", room, room=room)

    @server.on("where", namespace="/other")
    async def where_other(sid):
        return of(server.rooms(sid, namespace="/other"), sid)

    @server.event
    async def enter_other(sid, other, room):
        await server.enter_room(named(other), room, namespace="/other")
        await server.emit("said", room, room=room, namespace="/other")

    @server.event
    async def leave_other(sid, other, room):
        await server.leave_room(named(other), room, namespace="/other")
        await server.emit("said", room, room=room, namespace="/other")

    @server.event
    async def close_other(sid, room):
        await server.close_room(room, namespace="/other")
        await server.emit("said", room, room=room, namespace="/other")

    @server.event
    async def strangers(sid):
        return [
            await told(server.enter_room)("nobody", "a"),
            await told(server.enter_room)("nobody", "a", "/nowhere"),
            await told(server.leave_room)("nobody", "a"),
            await told(server.close_room)("nowhere", "/nowhere"),
            server.rooms("nobody"),
            server.rooms("nobody", namespace="/nowhere"),
        ]

    ids = {}

    def named(value):
        return ids.get(value, value)

    async def script(first, second):
        ids.update({"@1": first.sid(), "@1 other": first.sid("/other"), "@2": second.sid()})
        for packet in ('421["enter","a"]', '422["enter","a"]', '423["enter",7]', '424["where"]'):
            await first.send(packet)
        for packet in ('421["enter","a"]', '422["enter","b"]', '423["where"]'):
            await second.send(packet)
        for packet in ('42["say","a"]', '42["say","b"]', '42["say",7]', '421["leave","never in"]'):
            await first.send(packet)
        await second.send('421["leave","a"]', '422["leave","a"]', '42["say","a"]', '423["where"]')
        await first.send('421["close","a"]', '422["close","a"]', '42["say","a"]', '423["where"]')
        await second.send(f'42["say",{json.dumps(ids["@1"])}]')
        await first.send('42["enter_other","@1 other","r"]', '42/other,1["where"]')
        await first.send('42["leave_other","@1 other","r"]', '42/other,2["where"]')
        await first.send('42["enter_other","@1 other","r"]', '42["close_other","r"]', '42/other,3["where"]')
        await first.send('429["strangers"]')

    return script


def rooms_that_are_clients(server):
    @server.event
    async def enter(sid, room):
        return await told(server.enter_room)(sid, ids[room])

    @server.event
    async def close(sid, room):
        return await told(server.close_room)(ids[room])

    @server.event
    async def say(sid, room):
        await server.emit("said", "x", room=ids[room])

    ids = {}

    async def script(first, second):
        ids.update({"first": first.sid(), "second": second.sid()})
        await second.send('421["enter","first"]', '422["enter","second"]')
        await second.send('421["close","first"]', '422["close","second"]', '42["say","first"]')
        await first.send('42["say","second"]')

    return script


if hasattr(socketio.AsyncManager, "is_sid_room"):
    # Since 5.17. Before, one client can enter the room of another's id, and hears what is meant for that one; here it cannot.
    program()(rooms_that_are_clients)


@program()
def rooms_end_with_their_clients(server):
    @server.event
    async def enter(sid, room):
        await server.enter_room(sid, room)

    @server.event
    async def say(sid, room):
        await server.emit("said", room, room=room)

    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", (reason, of(server.rooms(sid), sid)))
        await server.emit("left the room", to="a", skip_sid=sid)

    async def script(first, second):
        await first.send('42["enter","a"]')
        await second.send('42["enter","a"]')
        await first.send("41")
        await second.send('42["say","a"]')
        await first.send("40")
        await first.send('42["say","a"]')

    return script


@program()
def rooms_of_the_manager(server):
    @server.event
    async def join(sid, room):
        await server.enter_room(sid, room)

    @server.event
    async def look(sid):
        """Tell what programs read of the manager, with the clients' places in place of their ids."""
        manager, own = server.manager, server.environ
        rooms = manager.rooms["/"]
        sids = list(rooms[None])
        connections = [rooms[None][each] for each in sids]

        def place(name):
            return sids.index(name) if name in sids else name

        return {
            "namespaces": sorted(each for each in manager.get_namespaces() if each != "/marker"),
            "rooms": sorted(str(place(room)) for room in rooms),
            "sizes": [len(rooms[sid]) for sid in sids] + [len(rooms["den"]), len(rooms)],
            "den": sorted(place(each) for each in rooms["den"]),
            "is in": [
                sid in rooms["den"],
                "nobody" in rooms["den"],
                "den" in rooms,
                "x" in rooms,
                7 in rooms,
            ],
            "missing": [len(rooms.get("x", {})), len(manager.rooms.get("/x", {}).get("den", {}))],
            "connections": [place(rooms["den"].inverse[connections[place(sid)]])],
            "environs": [eio_sid in own for eio_sid in connections],
            "engine": [eio_sid in server.eio.sockets for eio_sid in connections],
            "plain": [type(each).__name__ for each in rooms["den"].values()],
            "participants": sorted(place(each) for each, _ in manager.get_participants("/", "den")),
            "ids": [
                manager.eio_sid_from_sid(sid, "/") == rooms[None][sid],
                manager.sid_from_eio_sid(rooms[None][sid], "/") == sid,
                manager.is_connected(sid, "/"),
                server.get_environ(sid) is own[rooms[None][sid]],
            ],
        }

    async def script(first, second):
        await first.send('42["join","den"]')
        await second.send('42["join","den"]', '421["look"]')
        await first.leave()
        await second.send('422["look"]')

    return script
