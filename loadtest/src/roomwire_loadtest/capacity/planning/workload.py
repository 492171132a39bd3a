"""A workload and what it is to run on, as a TOML file says it. Pure but for the reading."""

from pathlib import Path
from typing import Annotated

import msgspec

from roomwire_loadtest.capacity.planning.sizes import Sizes

Count = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=1, le=1e9)]


class WrongWorkload(ValueError):
    """The file does not say a workload; the text names the field."""


class Giant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some rooms of a size of their own, beside those that follow the distribution.

    Attributes:
        size: Members of each.
        rooms: How many.
        messages_per_s: Said in each.
        announces: Whether all are told who comes, as the chat does: with it, a room costs the square of its size.

    """

    size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    rooms: Whole = 1
    messages_per_s: Count = 1.0
    announces: bool = True


class Rooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rooms that clients are in.

    Attributes:
        sizes: How large they are.
        of_each_client: In how many a client is, giants aside.
        announces: See `Giant`.

    """

    sizes: Sizes
    of_each_client: Annotated[float, msgspec.Meta(ge=0, le=100)] = 1.0
    announces: bool = True


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What it is to run on, and how full that may be.

    Attributes:
        gateway_busy: Of a gateway's core, with the spare ones away; at most as full as gateways were measured.
        redis_busy: Of a primary's core: far from what it bears, as what arrives at one that is busy shares its moments.
        auth_busy: Of an auth service's core.
        spare_gateways: How many gateways of a deployment may be away at once without the others being fuller.
        gateway_memory_mib: The most that a pod may ask for.
        max_connections: Of a gateway (`ROOMWIRE_MAX_CONNECTIONS`).
        redis_memory_gib: The most data in one primary.
        network_gbit_s: Of a machine's network.
        gateways_per_log: Most gateways of one deployment: beyond, another begins.
        ping_interval_s: See `ROOMWIRE_PING_INTERVAL_S`.
        access_ttl_s: See `ROOMWIRE_ACCESS_TTL_S`; clients renew in time.
        max_delay_s: The longest that a message may take to go out to a giant room's members on one gateway.
        max_return_s: The longest that it may take until all clients of one gateway that died are back.

    """

    gateway_busy: Annotated[float, msgspec.Meta(ge=0.05, le=0.75)] = 0.6
    redis_busy: Annotated[float, msgspec.Meta(ge=0.05, le=0.9)] = 0.7
    auth_busy: Annotated[float, msgspec.Meta(ge=0.05, le=0.9)] = 0.5
    spare_gateways: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 1
    gateway_memory_mib: Annotated[float, msgspec.Meta(ge=256)] = 1_024
    max_connections: Annotated[int, msgspec.Meta(ge=1)] = 20_000
    redis_memory_gib: Annotated[float, msgspec.Meta(gt=0)] = 64
    network_gbit_s: Annotated[float, msgspec.Meta(gt=0)] = 10
    gateways_per_log: Annotated[int, msgspec.Meta(ge=2, le=100_000)] = 300
    ping_interval_s: Seconds = 25.0
    access_ttl_s: Seconds = 600.0
    max_delay_s: Annotated[float, msgspec.Meta(gt=0)] = 0.25
    max_return_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0


class Workload(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What clients do.

    Attributes:
        title: For the reader.
        connections: At a time.
        rooms: Those they are in.
        giants: Rooms beside these.
        messages_per_client_s: Each client says in one of its rooms.
        messages_per_room_s: Said in each room, giants aside; beside those of clients.
        text_bytes: Of a message.
        polling_share: Of clients that stay with HTTP long-polling.
        upgrade_share: Of the others, those that begin by polling, as the official client does unless told otherwise.
        stay_s: How long a connection lasts before its client comes anew.
        password_share: Of those who come, who sign in by a password.
        guest_share: Of those who come, who are let in as guests. The others have a token, and refresh it in time.
        deployment: What it runs on.

    """

    title: str
    connections: Whole
    rooms: Rooms
    giants: tuple[Giant, ...] = ()
    messages_per_client_s: Count = 0.0
    messages_per_room_s: Count = 0.0
    text_bytes: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 200
    polling_share: Part = 0.0
    upgrade_share: Part = 1.0
    stay_s: Seconds = 1_800.0
    password_share: Part = 0.0
    guest_share: Part = 0.0
    deployment: Deployment = Deployment()


def read(path: Path) -> Workload:
    """Return the workload of a file.

    Raises:
        WrongWorkload: It says none; the text says where and why.
        OSError: It cannot be read.

    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Workload)
    except msgspec.DecodeError as error:
        raise WrongWorkload(f"{path.name}: {error}") from error
