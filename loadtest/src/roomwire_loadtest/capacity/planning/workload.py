"""A workload and its deployment, as described in a TOML file. Pure, except for reading."""

from pathlib import Path
from typing import Annotated

import msgspec

from roomwire_loadtest.capacity.planning.sizes import Sizes

Count = Annotated[float, msgspec.Meta(ge=0, le=1e12)]
Whole = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=1, le=1e9)]


class WrongWorkload(ValueError):
    """The file does not describe a workload; the text names the field."""


class Giant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rooms of a fixed size, in addition to those of the distribution.

    Attributes:
        size: Members of each room.
        rooms: The number of rooms.
        messages_per_s: Messages per second in each room.
        announces: Whether all members are told of joins, as in the chat; then a room's cost grows with the square of its size.

    """

    size: Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
    rooms: Whole = 1
    messages_per_s: Count = 1.0
    announces: bool = True


class Rooms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rooms that clients are in.

    Attributes:
        sizes: The distribution of their sizes.
        of_each_client: The number of rooms of each client, giants not counted.
        announces: See `Giant`.

    """

    sizes: Sizes
    of_each_client: Annotated[float, msgspec.Meta(ge=0, le=100)] = 1.0
    announces: bool = True


class Deployment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The deployment, and its maximum utilization.

    Attributes:
        gateway_busy: Maximum share of a gateway's core when the spare ones are gone; not more than in the measurements.
        redis_busy: Maximum share of a primary's core; far below its capacity, because arrivals at a busy primary share moments.
        auth_busy: Maximum share of an auth service's core.
        spare_gateways: How many gateways of a deployment may be gone at once within these limits.
        gateway_memory_mib: Maximum memory request of a pod.
        max_connections: Maximum connections of a gateway (`ROOMWIRE_MAX_CONNECTIONS`).
        redis_memory_gib: Maximum data in one primary.
        network_gbit_s: Network bandwidth of a machine.
        gateways_per_log: Maximum number of gateways in one deployment; beyond it, another deployment begins.
        ping_interval_s: See `ROOMWIRE_PING_INTERVAL_S`.
        access_ttl_s: See `ROOMWIRE_ACCESS_TTL_S`; clients renew their tokens before it ends.
        max_delay_s: Maximum time for sending a message to a giant room's members on one gateway.
        max_return_s: Maximum time until all clients of a gateway that died are connected again.

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
    """The clients' behaviour.

    Attributes:
        title: A title for the reader.
        connections: The number of concurrent connections.
        rooms: The clients' rooms.
        giants: Additional rooms.
        messages_per_client_s: Messages per second that each client sends to one of its rooms.
        messages_per_room_s: Additional messages per second in each room, giants not counted.
        text_bytes: Length of a message's text.
        polling_share: Share of clients that stay on HTTP long-polling.
        upgrade_share: Of the others, the share that begins by polling, as the official client does by default.
        stay_s: Duration of a connection, after which its client connects again.
        password_share: Share of connecting clients that sign in with a password.
        guest_share: Share of connecting clients that sign in as guests. The others have a token, and refresh it in time.
        deployment: The deployment.

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
        WrongWorkload: The file does not describe a workload; the text says where and why.
        OSError: The file cannot be read.

    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Workload)
    except msgspec.DecodeError as error:
        raise WrongWorkload(f"{path.name}: {error}") from error
