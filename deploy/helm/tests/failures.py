"""The ways in which the service fails to serve, and where each shows: the rows of the runbook's table."""

from typing import NamedTuple


class Failure(NamedTuple):
    """One way in which the service fails.

    Attributes:
        what: What is broken, in the runbook's words.
        log: The event of the log line.
        metric: The series that changes.
        field: The entry of `causes` in `/readyz`, as `dependency: cause`; empty if no dependency is at fault.
        alert: The alert that fires.
        panel: The panel that shows it, on the dashboard of its service.

    """

    what: str
    log: str
    metric: str
    field: str
    alert: str
    panel: str


_DOWN = "roomwire_dependency_down"
_WHY = "Failed dependencies, by cause"

REDIS_FULL = Failure(
    "Redis is full", "dependency down", _DOWN, "redis_writes: full", "RoomwireRedisFull", _WHY
)
REDIS_MEMORY = Failure(
    "Redis is nearly full",
    "dependency down",
    "roomwire_redis_memory_used_bytes",
    "redis_memory: nearly_full",
    "RoomwireRedisMemoryHigh",
    "Memory of Redis",
)
REDIS_GUARD = Failure(
    "Memory of Redis is scarce: nothing new is made for guests",
    "dependency down",
    "roomwire_redis_guard_level",
    "redis_memory: nearly_full",
    "RoomwireRedisRefusesNew",
    "New things that Redis refuses",
)
REDIS_REFUSED = Failure(
    "Redis refuses connections",
    "dependency down",
    "roomwire_backplane_up",
    "redis: refused",
    "RoomwireBackplaneDown",
    _WHY,
)
WRONG_PASSWORD = Failure(
    "Redis' password is wrong",
    "waiting for what this service depends on",
    _DOWN,
    "history: wrong_password",
    "RoomwireNoGateway",
    _WHY,
)
UNKNOWN_NAME = Failure(
    "Redis' name is unknown, or DNS is blocked",
    "waiting for what this service depends on",
    _DOWN,
    "history: unknown_name",
    "RoomwireNoGateway",
    _WHY,
)
WRONG_TLS = Failure(
    "Redis' certificate is not the one",
    "waiting for what this service depends on",
    _DOWN,
    "history: tls",
    "RoomwireNoGateway",
    _WHY,
)
REVOCATIONS = Failure(
    "Revocations cannot be read",
    "revocations not read",
    _DOWN,
    "revocations: not_allowed",
    "RoomwireHistoryDown",
    _WHY,
)
KEYS_AWAY = Failure(
    "The keys of tokens cannot be fetched: auth, or the identity provider, is away",
    "jwks fetch failed",
    _DOWN,
    "keys: refused",
    "RoomwireKeysUnavailable",
    _WHY,
)
AUTH_DOWN = Failure("Auth is down", "stopped", "roomwire_ready", "", "RoomwireAuthDown", "Ready processes")
AUTH_STORE = Failure(
    "Auth's Redis is away", "dependency down", _DOWN, "store: refused", "RoomwireAuthStoreDown", _WHY
)
NO_GATEWAY = Failure(
    "No gateway is ready", "stopped", "roomwire_ready", "", "RoomwireNoGateway", "Ready processes"
)
KEYS_REFUSED = Failure(
    "The identity provider publishes keys that are refused",
    "jwks keys refused",
    "roomwire_jwks_keys_refused_total",
    "published_keys: wrong_answer",
    "RoomwireProviderKeysRefused",
    "Refused keys of the identity provider",
)
LOOP_LATE = Failure(
    "The event loop is late",
    "dependency down",
    "roomwire_loop_late_seconds_bucket",
    "event_loop: late",
    "RoomwireLoopLate",
    "Is it CPU? Event loop lateness",
)
EVICTED = Failure(
    "Clients that do not read are evicted",
    "connection closed",
    "roomwire_bounds_exceeded_total",
    "",
    "RoomwireClientsEvicted",
    "Exceeded limits and evicted clients",
)
REFUSED = Failure(
    "Connections are refused: the gateway is full",
    "dependency down",
    "roomwire_http_refused_total",
    "connections: full",
    "RoomwireConnectionsRefused",
    "Refused HTTP requests",
)
ROTATION = Failure(
    "A rotation of signing keys failed",
    "signing keys not read",
    _DOWN,
    "signing_keys: misconfigured",
    "RoomwireRotationFailed",
    _WHY,
)
CLOCK = Failure(
    "A clock is wrong",
    "dependency down",
    "roomwire_clock_skew_seconds",
    "clock_redis: clock_skew",
    "RoomwireClockSkewed",
    "Clock skew",
)
NEWCOMERS = Failure(
    "A clock is wrong by more than the leeway: newcomers are turned away",
    "connect postponed",
    "roomwire_connects_total",
    "clock_auth: clock_skew",
    "RoomwireNewcomersTurnedAway",
    "Connects",
)
NAME_TAKEN = Failure(
    "Another gateway has the node name",
    "dependency down",
    _DOWN,
    "node_name: name_taken",
    "RoomwireNodeNameTaken",
    _WHY,
)
RELAY = Failure(
    "Gateways do not reach each other: their secrets differ, or a policy is between them",
    "dependency down",
    _DOWN,
    "relay: lost",
    "RoomwireRelayUnreachable",
    _WHY,
)

FAILURES = (
    REDIS_REFUSED,
    WRONG_PASSWORD,
    UNKNOWN_NAME,
    WRONG_TLS,
    REDIS_FULL,
    REDIS_MEMORY,
    REDIS_GUARD,
    REVOCATIONS,
    NO_GATEWAY,
    NAME_TAKEN,
    AUTH_DOWN,
    AUTH_STORE,
    KEYS_AWAY,
    KEYS_REFUSED,
    ROTATION,
    CLOCK,
    NEWCOMERS,
    LOOP_LATE,
    EVICTED,
    REFUSED,
    RELAY,
)


def table() -> str:
    """Return the rows of the runbook's table."""

    def code(text: str) -> str:
        return f"`{text}`" if text else "-"

    head = "| what | log line | metric | `causes` of `/readyz` | alert | panel |\n|---|---|---|---|---|---|\n"
    rows = (
        f"| {one.what} | {code(one.log)} | {code(one.metric)} | {code(one.field)} | [{one.alert}](#{one.alert.lower()}) | {one.panel} |\n"
        for one in FAILURES
    )
    return head + "".join(rows)
