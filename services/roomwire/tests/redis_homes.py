"""Real homes of a Redis for tests: a primary and its replica under three Sentinels; a cluster."""

import contextlib
import signal
import subprocess

import redis
import redis.asyncio
from waiting import time_passes, until

from roomwire_local.free_ports import free_ports

HOST = "127.0.0.1"
SERVICE = "chat"
SLOT = 13_907
"""The slot of every key with the hash tag {0}."""
_PATIENCE_S = 60


class Server:
    """A process of the test's own; it does not outlive it."""

    def __init__(self, port, *command, tls=None):
        self.port = port
        self._tls = tls
        self._command = [str(part) for part in command]
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def kill(self):
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def ask(self, *command):
        options = {} if self._tls is None else {"ssl": True, "ssl_ca_certs": str(self._tls)}
        async with redis.asyncio.Redis(host=HOST, port=self.port, socket_timeout=5, **options) as client:
            return await client.execute_command(*command)

    async def info(self, section):
        return await self.ask("INFO", section)

    async def ready(self):
        await eventually(lambda: self.ask("PING"))


async def eventually(condition, within_s=_PATIENCE_S):
    """Wait for what has to be asked of a server that may not answer yet."""

    async def answered():
        with contextlib.suppress(redis.RedisError, OSError):
            return await condition()

    return await until(answered, within_s=within_s)


def data_server(binary, folder, port, *options, tls=None):
    folder.mkdir()
    listens = ["--port", str(port)] if tls is None else tls_options(tls, port)
    return Server(
        port, binary, *listens, "--bind", HOST, "--dir", str(folder), "--appendonly", "yes",
        "--save", "", "--maxmemory-policy", "noeviction", "--repl-diskless-sync-delay", "0", *options, tls=tls,
    )  # fmt: skip


def tls_options(certificate, port):
    """Let a server speak TLS alone, with a certificate that signs itself and also is its authority."""
    return [
        "--port", "0", "--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(certificate),
        "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "optional", "--tls-replication", "yes",
        "--tls-cluster", "yes",
    ]  # fmt: skip


class SentinelHome:
    """A primary, its replica and three Sentinels."""

    def __init__(self, binary, folder, *, tls=None, sentinel_lines=()):
        self._tls = tls
        primary, replica, *ports = free_ports(5)
        self.primary = data_server(binary, folder / "one", primary, tls=tls)
        self.replica = data_server(
            binary, folder / "two", replica, "--replicaof", f"{HOST} {primary}", tls=tls
        )
        self.sentinels = []
        for port in ports:
            own = folder / f"sentinel-{port}"
            own.mkdir()
            listens = f"port {port}\n"
            if tls is not None:
                options = tls_options(tls, port)
                listens = "".join(
                    f"{option.removeprefix('--')} {value}\n"
                    for option, value in zip(options[::2], options[1::2], strict=True)
                    if option != "--tls-cluster"
                )
            (own / "sentinel.conf").write_text(
                f"{listens}bind {HOST}\ndir {own}\n"
                f"sentinel monitor {SERVICE} {HOST} {primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} 1000\n"
                f"sentinel failover-timeout {SERVICE} 6000\n"
                + "".join(f"{line}\n" for line in sentinel_lines)
            )
            self.sentinels.append(Server(port, binary, own / "sentinel.conf", "--sentinel", tls=tls))

    @property
    def hosts(self):
        return ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)

    @property
    def url(self):
        return f"redis+sentinel://{self.hosts}/{SERVICE}/0"

    async def start(self):
        for server in (self.primary, self.replica):
            server.start()
            await server.ready()
        await eventually(lambda: self._is_up(self.replica))
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            await sentinel.ready()
            # Each has to know the others and the replica before it can take part in a failover.
            await eventually(lambda sentinel=sentinel: self._knows_all(sentinel))

    def kill(self):
        for server in (*self.sentinels, self.replica, self.primary):
            server.kill()

    async def replicated(self):
        """Wait until the replica has what the primary has written so far."""
        await self.primary.ask("WAIT", 1, _PATIENCE_S * 1000)

    async def promoted(self):
        """Wait until the replica is the primary and every Sentinel says so."""
        await eventually(lambda: self._is_primary(self.replica))
        for sentinel in self.sentinels:
            await eventually(lambda sentinel=sentinel: self._names(sentinel, self.replica.port))

    async def _is_up(self, server):
        return (await server.info("replication"))["master_link_status"] == "up"

    async def _is_primary(self, server):
        return (await server.ask("ROLE"))[0] == b"master"

    async def _knows_all(self, sentinel):
        flat = await sentinel.ask("SENTINEL", "MASTER", SERVICE)
        state = {(key.decode() if isinstance(key, bytes) else key): value for key, value in flat.items()}
        return int(state["num-slaves"]) == 1 and int(state["num-other-sentinels"]) == 2

    async def _names(self, sentinel, port):
        named = await sentinel.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(named[1]) == port


class ClusterHome:
    """Three primaries; the first has the log's slot, and may have a replica."""

    def __init__(self, binary, folder, *, replica=False, tls=None):
        count = 4 if replica else 3
        self._tls = tls
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
        self.members = [
            data_server(binary, folder / str(port), port, *options, tls=tls) for port in free_ports(count)
        ]
        self.replica = self.members[3] if replica else None

    @property
    def primaries(self):
        return self.members[:3]

    @property
    def url(self):
        return f"redis+cluster://{','.join(f'{HOST}:{one.port}' for one in self.members)}"

    async def start(self):
        for member in self.members:
            member.start()
        for member in self.members:
            await member.ready()
        first, second, third = self.primaries
        await second.ask("CLUSTER", "ADDSLOTSRANGE", 0, 6_000)
        await third.ask("CLUSTER", "ADDSLOTSRANGE", 6_001, 12_000)
        await first.ask("CLUSTER", "ADDSLOTSRANGE", 12_001, 16_383)
        for number, member in enumerate(self.members):
            await member.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for member in self.members[1:]:
            await member.ask("CLUSTER", "MEET", HOST, first.port)
        for member in self.members:
            await eventually(lambda member=member: self._is_whole(member))
        if self.replica is not None:
            await self.replica.ask("CLUSTER", "REPLICATE", await self.name(first))
            await eventually(lambda: self._is_replica(self.replica))

    def kill(self):
        for member in self.members:
            member.kill()

    async def name(self, member):
        name = await member.ask("CLUSTER", "MYID")
        return name.decode() if isinstance(name, bytes) else name

    async def move(self, source, target, *, pause_s=0.0):
        """Move the log's slot from one primary to another, ten keys at a time, as every tool does."""
        names = [await self.name(one) for one in (source, target)]
        await target.ask("CLUSTER", "SETSLOT", SLOT, "IMPORTING", names[0])
        await source.ask("CLUSTER", "SETSLOT", SLOT, "MIGRATING", names[1])
        while keys := await source.ask("CLUSTER", "GETKEYSINSLOT", SLOT, 10):
            await source.ask("MIGRATE", HOST, target.port, "", 0, 5_000, "KEYS", *keys)
            await time_passes(pause_s)
        for member in (target, source, *self.primaries):
            await member.ask("CLUSTER", "SETSLOT", SLOT, "NODE", names[1])

    async def _is_whole(self, member):
        info = await member.ask("CLUSTER", "INFO")
        info = info if isinstance(info, dict) else dict(
            line.split(":", 1) for line in info.decode().split() if ":" in line
        )  # fmt: skip
        return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == len(self.members)

    async def _is_replica(self, member):
        return (await member.info("replication")).get("master_link_status") == "up"

    async def owner(self, member):
        """Return the member that has the log's slot, as another one sees it."""
        client = redis.asyncio.Redis(host=HOST, port=member.port)
        try:
            await client.execute_command("EXISTS", "rw:{0}:log")
        except redis.exceptions.MovedError as error:
            return next((one for one in self.members if one.port == error.port), None)
        finally:
            await client.aclose()
        return member


@contextlib.asynccontextmanager
async def running(home):
    """Run a home for as long as the context lasts."""
    try:
        await home.start()
        yield home
    finally:
        home.kill()


__all__ = ["SLOT", "ClusterHome", "SentinelHome", "Server", "eventually", "running", "until"]
