"""Programs about connections: connecting, refusing, sessions, the request, leaving and being sent away."""

import socketio
from differential.harness import program


@program(connects=())
def refusals(server):
    @server.event
    async def connect(sid, environ, auth):
        if auth == {"how": "false"}:
            return False
        if auth == {"how": "error"}:
            raise ConnectionRefusedError
        if auth == {"how": "words"}:
            raise socketio.exceptions.ConnectionRefusedError("no", {"code": 7})
        if auth == {"how": "several"}:
            raise socketio.exceptions.ConnectionRefusedError("no", 1, 2)
        if auth == {"how": "nothing"}:
            raise socketio.exceptions.ConnectionRefusedError
        return True

    @server.event
    async def hello(sid):
        return "hello"

    async def script(first, second):
        await first.send('40{"how":"words"}', '40{"how":"error"}', '40{"how":"false"}', "40", '421["hello"]')
        await second.send('40{"how":"several"}', '40{"how":"nothing"}', '421["hello"]', '40{"how":"fine"}')
        await second.send('421["hello"]')

    return script


@program(connects=())
def connect_handlers_without_auth(server):
    @server.event
    def connect(sid, environ):
        return environ["PATH_INFO"] == "/socket.io/"

    async def script(first, second):
        await first.send("40")
        await second.send("40{}")

    return script


@program(connects=())
def rooms_and_sessions_of_connect_handlers(server):
    @server.event
    async def connect(sid, environ, auth):
        await server.save_session(sid, {"auth": auth})
        await server.enter_room(sid, "r")

    @server.event
    async def show(sid):
        await server.emit("room", to="r")
        return [await server.get_session(sid), sorted(set(server.rooms(sid)) - {sid})]

    async def script(first, second):
        await first.send('40{"a":1}', '421["show"]')
        await second.send("40", '421["show"]')

    return script


@program(connects=("40", "40/other,"))
def sessions(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def put(sid, other, value, *namespace):
        await server.save_session(ids[other], {"value": value}, *namespace)

    @server.event
    async def get(sid, other, *namespace):
        try:
            return await server.get_session(ids.get(other, other), *namespace)
        except KeyError as error:
            return type(error).__name__

    @server.event
    async def change(sid, other, *namespace):
        async with server.session(ids[other], *namespace) as session:
            session["value"] += 1

    ids = {}

    async def script(first, second):
        ids.update({"@1": first.sid(), "@other": first.sid("/other")})
        await first.send('421["get","@1"]', '42["put","@1",1]', '42["change","@1"]', '422["get","@1"]')
        await first.send('421["get","@other","/other"]', '42["put","@other",5,"/other"]')
        await first.send('42["change","@other","/other"]', '422["get","@other","/other"]', '423["get","@1"]')
        await first.send('424["get","nobody"]', '425["get","@1","/nowhere"]')

    return script


@program(connects=("40", "40/other,"))
def requests(server):
    """The request a client came with, and its transport."""
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def environ(sid, other, *namespace):
        environ = server.get_environ(ids.get(other, other), *namespace)
        if environ is None:
            return None
        names = ("PATH_INFO", "REQUEST_METHOD", "SERVER_PROTOCOL", "RAW_URI", "QUERY_STRING", "REMOTE_ADDR")
        chosen = {
            name: environ[name] for name in (*names, "HTTP_UPGRADE", "HTTP_CONNECTION", "wsgi.url_scheme")
        }
        return chosen | {"headers": sorted(name for name in environ if name.startswith("HTTP_"))}

    @server.event
    async def transport(sid, other, *namespace):
        try:
            return server.transport(ids.get(other, other), *namespace)
        except KeyError as error:
            return type(error).__name__

    ids = {}

    async def script(first, second):
        ids.update({"@1": first.sid(), "@other": first.sid("/other")})
        await first.send('421["environ","@1"]', '422["environ","@other","/other"]', '423["environ","nobody"]')
        await first.send('421["transport","@1"]', '422["transport","@other","/other"]')
        await first.send('423["transport","nobody"]')

    return script


@program(connects=("40", "40/other,"))
def disconnects(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def kick(sid, other, *options):
        await server.emit("bye", to=ids[other])
        await server.disconnect(ids[other], *options)
        return "done"

    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", reason)

    @server.on("disconnect", namespace="/other")
    async def legacy(sid):
        await server.emit("left /other")

    ids = {"nobody": "nobody"}

    async def script(first, second):
        ids.update({"@1": first.sid(), "@1 other": first.sid("/other"), "@2": second.sid()})
        await second.send('421["kick","@1 other","/other"]', '422["kick","nobody"]')
        await second.send('423["kick","@1"]')
        await second.send('424["kick","@1"]')
        await first.send('42["kick","@2"]', "40", '425["kick","nobody"]')
        await second.send('426["kick","@2",null,true]')
        await second.send('427["kick","@2"]')

    return script


@program()
def leaving(server):
    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", reason)

    async def script(first, second):
        await first.send("41", '421["gone"]', "40", '42["back"]', "41")

    return script


@program(connects=("40", "40/other,"))
def leaving_altogether(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", (reason, server.get_environ(sid) is not None))

    @server.on("disconnect", namespace="/other")
    async def disconnect_other(sid, reason):
        await server.emit("left /other", reason)

    async def script(first, second):
        await first.leave("1")
        await second.until('42["left /other"')
        await second.settle()

    return script


@program(connects=("40", "40/other,"))
def losing_the_transport(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def disconnect(sid):
        await server.emit("left")

    @server.on("disconnect", namespace="/other")
    async def disconnect_other(sid, reason):
        await server.emit("left /other", reason)

    async def script(first, second):
        await first.leave()
        await second.until('42["left /other"')
        await second.settle()

    return script


@program(connects=(), always_connect=True)
def always_connected(server):
    @server.event
    async def connect(sid, environ, auth):
        await server.emit("hello", auth, to=sid)
        await server.enter_room(sid, "r")

    @server.event
    async def disconnect(sid, reason):
        await server.emit("left", reason)

    async def script(first, second):
        await first.send("40")
        await second.send('40{"a":1}')
        await first.send("41")

    return script
