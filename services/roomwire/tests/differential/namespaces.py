"""Programs about namespaces: handlers of functions and classes, catch-alls of events and of namespaces."""

import socketio
from differential.harness import program


@program()
def function_namespaces(server):
    @server.on("connect", namespace="/plain")
    async def connect(sid, environ):
        return None

    @server.on("where", namespace="/plain")
    async def where(sid):
        return "/plain"

    @server.event(namespace="/plain")
    async def echo(sid, *args):
        await server.emit("echoed", args, to=sid, namespace="/plain")

    @server.on("disconnect", namespace="/plain")
    async def disconnect(sid):
        await server.emit("parted from /plain")

    async def script(first, second):
        await first.send("40/plain,", '42/plain,1["where"]', '42/plain,["echo",{"a":1}]', '422["where"]')
        await first.send("41/plain,")
        await first.send('42/plain,3["where"]', "40/plain,", '42/plain,4["where"]')
        await second.send('42/plain,5["where"]')

    return script


@program()
def catch_all_events(server):
    @server.on("*")
    async def any_event(event, sid, *args):
        return ["any", event, *args]

    @server.on("known")
    async def known(sid):
        return "known"

    async def script(first, second):
        await first.send('421["known"]', '422["other",1,2]', '423["*"]', '424["message","x"]')

    return script


@program(namespaces="*")
def catch_all_namespaces(server):
    @server.on("*", namespace="*")
    async def anything(event, namespace, sid, *args):
        return ["any event anywhere", event, namespace, *args]

    @server.on("known", namespace="*")
    async def known(namespace, sid, *args):
        return ["known anywhere", namespace, *args]

    @server.on("connect", namespace="*")
    async def connect(namespace, sid, environ, auth):
        return None if auth != "no" else False

    @server.on("disconnect", namespace="*")
    async def disconnect(namespace, sid, reason):
        await server.emit("parted", (namespace, reason), namespace="/watch")

    @server.on("known", namespace="/own")
    async def own(sid, *args):
        return ["known in /own", *args]

    @server.on("*", namespace="/own")
    async def own_any(event, sid, *args):
        return ["any event in /own", event, *args]

    async def script(first, second):
        await second.send("40/watch,")
        await first.send("40/x/y,", "40/own,", '40/with auth,{"a":1}')
        await first.send('42/x/y,1["known",1]', '42/x/y,2["other",1]', '42/x/y,3["*"]')
        await first.send('42/own,4["known",1]', '42/own,5["other",1]', '426["known"]', '427["other"]')
        await first.send("41/x/y,", "41/own,")

    return script


@program(namespaces=["/listed", "/"])
def accepted_namespaces(server):
    async def script(first, second):
        await first.send("40/listed,", '42/listed,1["nobody hears it"]')
        await server.emit("to the listed", namespace="/listed")
        await first.settle()

    return script


@program(connects=("40", "40/other,"))
def class_namespaces(server):
    class Custom(socketio.AsyncNamespace):
        async def on_connect(self, sid, environ, auth):
            self.connected = True

        def on_sync(self, sid, *args):
            return ["sync", *args]

        async def on_echo(self, sid, *args):
            return args

        async def on_emit(self, sid, options):
            await self.emit("said", **of_ids(options))

        async def on_send(self, sid, options):
            await self.send("message", **of_ids(options))

        async def on_ask(self, sid, options):
            options = of_ids(options)
            try:
                answer = await self.call("question", **options)
            except (socketio.exceptions.TimeoutError, ValueError, RuntimeError) as error:
                answer = type(error).__name__
            await self.emit("answered", [answer], to=sid)

        async def on_rooms(self, sid, other, *namespace):
            other = ids.get(other, other)
            options = {"namespace": namespace[0]} if namespace else {}
            await self.enter_room(other, "r", **options)
            await self.enter_room(other, "s", **options)
            inside = sorted(set(self.rooms(other, **options)) - {other})
            await self.emit("in room", to="r", **options)
            await self.leave_room(other, "r", **options)
            await self.close_room("s", **options)
            await self.emit("nobody is in there", to=["r", "s"], **options)
            return [inside, len(self.rooms(other, **options))]

        async def on_sessions(self, sid, other, *namespace):
            other = ids.get(other, other)
            options = {"namespace": namespace[0]} if namespace else {}
            before = await self.get_session(other, **options)
            await self.save_session(other, {"n": 1}, **options)
            async with self.session(other, **options) as session:
                session["n"] += 1
            return [before, await self.get_session(other, **options)]

        async def on_kick(self, sid, other, *namespace):
            await self.disconnect(ids.get(other, other), *namespace)

        async def on_meta(self, sid):
            return [self.namespace, self.server is server, self.is_asyncio_based(), self.connected]

        async def on_disconnect(self, sid, reason):
            await self.emit("left", reason)

    class Legacy(socketio.AsyncNamespace):
        def on_disconnect(self, sid):
            left.append("legacy")

    ids, left = {}, []

    def of_ids(options):
        return {
            name: ids.get(value, value) if isinstance(value, str) else value
            for name, value in options.items()
        }

    server.on("connect", lambda *_: None, namespace="/other")
    server.register_namespace(Custom("/custom"))
    server.register_namespace(Legacy("/legacy"))

    @server.event
    async def refused(sid):
        refusals = []
        for wrong in (object(), socketio.Namespace("/sync")):
            try:
                server.register_namespace(wrong)
            except ValueError as error:
                refusals.append(str(error))
        return [refusals, socketio.AsyncNamespace().namespace, left]

    async def script(first, second):
        await second.send("40/custom,")
        await first.send('40/custom,{"token":"x"}', "40/legacy,")
        ids.update({"@1": first.sid("/custom"), "@2": second.sid("/custom"), "@other": first.sid("/other")})
        await first.send('42/custom,1["echo","a"]', '42/custom,2["sync",1]', '42/custom,3["unknown"]')
        for options in (
            "{}",
            '{"data":[1]}',
            '{"to":"@1"}',
            '{"room":"@2"}',
            '{"skip_sid":"@1"}',
            '{"namespace":"/other","ignore_queue":true}',
        ):
            await first.send(f'42/custom,["emit",{options}]')
            if "data" not in options:
                await first.send(f'42/custom,["send",{options}]')
        await first.send('42/custom,["ask",{"to":"@1","data":"x"}]')
        await first.send('43/custom,1["answer"]')
        await first.send('42/custom,["ask",{"sid":"@1","timeout":5,"ignore_queue":true}]')
        await first.send('43/custom,2["answer"]')
        await first.send('42/custom,["ask",{"to":"@other","namespace":"/other"}]')
        await first.send('43/other,1["answer"]')
        await first.send('42/custom,["ask",{}]')
        await first.send('42/custom,4["rooms","@1"]', '42/custom,5["rooms","@other","/other"]')
        await first.send('42/custom,6["sessions","@1"]', '42/custom,7["sessions","@other","/other"]')
        await first.send('42/custom,8["meta"]')
        await first.send('42/custom,["kick","@other","/other"]')
        await second.send('42/custom,["kick","@1"]')
        await first.send("41/legacy,", '429["refused"]')

    return script


@program(connects=("40",))
def class_namespaces_with_callbacks(server):
    class Asking(socketio.AsyncNamespace):
        async def on_emit(self, sid):
            await self.emit("please", to=sid, callback=self.reporting(sid))

        async def on_send(self, sid):
            await self.send("please", to=sid, callback=self.reporting(sid))

        def reporting(self, sid):
            async def done(*args):
                await self.emit("called back", args, to=sid)

            return done

    server.register_namespace(Asking("/asking"))

    async def script(first, second):
        await first.send("40/asking,", '42/asking,["emit"]', '42/asking,["send"]')
        await first.send('43/asking,2["of send"]', '43/asking,1["of emit"]')

    return script


@program(namespaces="*")
def class_namespaces_that_catch_all(server):
    class Everything(socketio.AsyncNamespace):
        """All events of all namespaces that have no handlers of their own."""

        async def trigger_event(self, event, namespace, sid, *args):
            if event in {"connect", "disconnect"}:
                return None
            return ["everything", event, namespace, *args]

    class Routed(socketio.AsyncNamespace):
        async def trigger_event(self, event, *args):
            if event == "renamed":
                event = "named"
            return await super().trigger_event(event, *args)

        async def on_named(self, sid, *args):
            return ["named", *args]

    server.register_namespace(Everything("*"))
    server.register_namespace(Routed("/routed"))

    @server.on("mine", namespace="/mixed")
    async def mine(sid):
        return "a function comes before a class"

    async def script(first, second):
        await first.send("40/any,", '42/any,1["event",1]', "40/routed,", '42/routed,2["renamed",1]')
        await first.send('42/routed,3["named"]', '42/routed,4["unknown"]')
        await first.send("40/mixed,", '42/mixed,5["mine"]', '42/mixed,6["yours",1]')
        await first.send("41/any,", "41/routed,")

    return script
