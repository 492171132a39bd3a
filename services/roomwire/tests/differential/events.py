"""Programs about events: handlers and acks, `emit`, `send`, `call`, callbacks, what data may be."""

import asyncio
import json

import socketio
from differential.harness import program


@program()
def events_and_acks(server):
    @server.event
    async def echo(sid, *args):
        return args

    @server.event
    async def nothing(sid):
        return None

    @server.event()
    def sync(sid, value):
        return {"value": value}

    @server.event(namespace="/")
    async def falsy(sid, value):
        return value

    @server.on("odd name")
    async def odd(sid, *args):
        await server.emit("odd back", args[0] if args else None, to=sid)

    server.on("registered", handler=lambda sid: "by a call")

    async def script(first, second):
        await first.send(
            '421["echo",1,"zwei",{"drei":[null,true,1.5]}]',
            '422["nothing"]',
            '423["sync",[1]]',
            '42["odd name","ü"]',
            '424["unknown"]',
            '42["echo"]',
            '425["echo"]',
            '426["registered"]',
            '420["echo","ack 0"]',
        )
        for number, value in enumerate(["null", "false", "0", '""', "[]", "{}"]):
            await first.send(f'42{number}["falsy",{value}]')

    return script


@program()
def payloads(server):
    values = {
        "none": None,
        "list": [1, 2],
        "tuple": (1, 2),
        "empty tuple": (),
        "dict": {"a": 1},
        "text": "x",
        "number": 1.5,
        "large number": 2**63,
        "empty": [],
        "nested": {"b": [{"c": None}]},
        "tuple inside": {"t": (1, [2])},
        "keys that are no texts": {7: "a", None: "b", True: "c", 1.5: "d"},
        "unicode": "\u00e4\u2028\U0001f600\x00\x7f",
        "bytes": b"\x00\x01",
        "no bytes": b"",
        "bytes in dict": {"f": b"a", "g": [b"b"]},
        "bytes in tuple": (b"a", {"x": b"b"}, "c"),
        "long": "x" * 70_000,
    }

    @server.event
    async def give(sid, what):
        await server.emit("gift", values[what], to=sid)
        return values[what]

    async def script(first, second):
        for number, what in enumerate(values):
            await first.send(f'42{number}["give",{json.dumps(what)}]')

    return script


@program()
def binary(server):
    @server.event
    async def echo(sid, *args):
        await server.emit("back", args, to=sid)
        return args

    async def script(first, second):
        await first.send('451-1["echo",{"_placeholder":true,"num":0}]', b"\x01")
        await first.send(
            '452-["echo",{"a":{"_placeholder":true,"num":1},"b":[{"_placeholder":true,"num":0}]}]', b"x", b"y"
        )

    return script


@program(connects=("40", "40/other,"))
def emits(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def join(sid, *rooms):
        for room in rooms:
            await server.enter_room(sid, room)

    @server.event
    async def emit(sid, options):
        """Emit with options; `@first` and `@others` stand for ids."""
        await server.emit("said", **{name: of_ids(value) for name, value in options.items()})

    @server.event
    async def send(sid, data, options):
        await server.send(data, **{name: of_ids(value) for name, value in options.items()})

    def of_ids(value):
        if isinstance(value, list):
            return [of_ids(each) for each in value]
        return ids.get(value, value) if isinstance(value, str) else value

    ids = {}

    async def script(first, second):
        ids.update({"@1": first.sid(), "@2": second.sid(), "@other": first.sid("/other")})
        await first.send('42["join","a","b"]')
        await second.send('42["join","a","c"]')
        for options in (
            {"data": "all"},
            {},
            {"data": ["in", "a list"], "to": "@2"},
            {"data": "a", "to": "a"},
            {"data": "a", "room": "a"},
            {"data": "to wins", "to": "b", "room": "c"},
            {"data": "both once", "to": ["a", "b", "c"]},
            {"data": "both once", "room": ["b", "c"]},
            {"data": "nowhere", "to": "nowhere"},
            {"data": "no rooms is all", "to": []},
            {"data": "others", "skip_sid": "@1"},
            {"data": "others in a", "to": "a", "skip_sid": "@2"},
            {"data": "nobody", "skip_sid": ["@1", "@2"]},
            {"data": "all", "skip_sid": []},
            {"data": "all but whom nobody knows", "skip_sid": "nobody"},
            {"data": "elsewhere", "namespace": "/other"},
            {"data": "elsewhere", "namespace": "/other", "to": "@other"},
            {"data": "not there", "namespace": "/other", "to": "@1"},
            {"data": "nobody is there", "namespace": "/empty"},
            {"data": "at once", "ignore_queue": True},
        ):
            await first.send(f'42["emit",{json.dumps(options)}]')
            data = options.pop("data", None)
            await second.send(f'42["send",{json.dumps(data)},{json.dumps(options)}]')

    return script


@program(connects=("40", "40/other,"))
def callbacks(server):
    server.on("connect", lambda *_: None, namespace="/other")

    def reporting(sid, namespace="/"):
        async def done(*args):
            await server.emit("called back", args, to=sid, namespace=namespace)

        return done

    @server.event
    async def emit(sid):
        await server.emit("please", "now", to=sid, callback=reporting(sid))

    @server.event
    async def send(sid):
        await server.send("please", to=sid, callback=reporting(sid))

    @server.event
    async def ask_all(sid):
        await server.emit("please", callback=reporting(sid))

    @server.on("emit", namespace="/other")
    async def emit_other(sid):
        done = reporting(sid, "/other")
        await server.emit("please", b"binary", to=sid, callback=done, namespace="/other")

    @server.event
    async def sync(sid):
        def done(*args):
            answers.append(args)

        await server.emit("please", to=sid, callback=done)

    @server.event
    async def answered(sid):
        return answers

    answers = []

    async def script(first, second):
        await first.send('42["emit"]')
        await first.send('431["a","b"]')
        await first.send('431["a second time"]', '439["nobody asked"]')
        await first.send('42["send"]')
        await first.send("432[]")
        await first.send('42["ask_all"]')
        await second.send('431["of the second"]')
        await first.send('433["of the first"]')
        await first.send('42/other,["emit"]')
        await first.send('461-/other,1[{"_placeholder":true,"num":0}]', b"answer")
        await first.send('42["sync"]', '434["sync"]')
        await first.send('42["sync"]')
        await first.send('435["sync"]', '427["answered"]')

    return script


@program(connects=("40", "40/other,"))
def calls(server):
    server.on("connect", lambda *_: None, namespace="/other")

    @server.event
    async def ask(sid, options):
        if options.pop("whom", None):
            options["to"] = sid
        if options.pop("sid", None):
            options["sid"] = sid
        try:
            answer = await server.call("question", **options)
        except (socketio.exceptions.TimeoutError, ValueError, RuntimeError) as error:
            answer = type(error).__name__
        await server.emit("answered", [answer], to=sid)

    @server.on("ask", namespace="/other")
    async def ask_other(sid):
        answer = await server.call("question", b"x", to=sid, namespace="/other", timeout=5)
        await server.emit("answered", [answer], to=sid, namespace="/other")

    async def script(first, second):
        await first.send('42["ask",{"data":{"n":1},"whom":1,"timeout":5}]')
        await first.send('431["forty-two"]')
        await first.send('42["ask",{"data":[1],"sid":1,"ignore_queue":true}]')
        await first.send('432["several","arguments"]')
        await first.send('42["ask",{"whom":1}]')
        await first.send("433[]")
        await first.send('42["ask",{}]')
        await first.send('42["ask",{"whom":1}]', '42["ask",{"whom":1}]')
        await first.send('435["the second first"]')
        await first.send('434["then the first"]')
        await first.send('42/other,["ask"]')
        await first.send('431["in the other"]', '43/other,1["in the other"]')

    return script


@program()
def calls_in_vain(server):
    @server.event
    async def ask(sid):
        try:
            await server.call("question", to=sid, timeout=0.01)
        except (socketio.exceptions.TimeoutError, RuntimeError):
            await server.emit("in vain", to=sid)

    async def script(first, second):
        await first.send('42["ask"]')
        if not any("in vain" in packet for packet in first.got):
            await first.until('42["in vain"]')
        await first.send('431["too late"]')

    return script


@program()
def background(server):
    """What runs beside the handlers: the script waits for it by its own marks."""

    @server.event
    async def work(sid):
        async def working(number, *, word):
            await server.sleep()
            await server.sleep(0.001)
            await server.emit("worked", (number, word), to=sid)
            return number

        task = server.start_background_task(working, 1, word="two")
        tasks.append(task)
        return isinstance(task, asyncio.Task)

    tasks = []

    async def script(first, second):
        await first.send('421["work"]')
        await first.until('42["worked"')
        assert [1] == [await task for task in tasks]

    return script


@program()
def handlers_that_fail(server):
    @server.event
    async def fails(sid):
        raise ValueError

    @server.event
    async def one(sid, value):
        return value

    async def script(first, second):
        await first.send('421["fails"]', '422["one"]', '423["one",1,2]', '424["one",1]')

    return script


@program()
def turns(server):
    """Whether an event waits for the handler of the one before it: as `async_handlers` says."""
    started, released = asyncio.Event(), asyncio.Event()

    @server.event
    async def wait(sid):
        started.set()
        await released.wait()
        return "late"

    @server.event
    async def release(sid):
        released.set()

    @server.event
    async def quick(sid):
        return "quick"

    async def script(first, second):
        await first.put('421["wait"]', '422["quick"]')
        await started.wait()
        if server.async_handlers:
            await first.until("432")
        await second.send('42["release"]')
        await first.settle()

    return script
