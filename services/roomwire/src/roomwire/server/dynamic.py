"""The namespaces of patterns: they are made with their first client and forgotten with their last.

A pattern is asked at a CONNECT alone. While a namespace is alive, its handlers stand where python-socketio and the rest of the
server look for those of any namespace, so that its events cost what events cost elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar, cast

from roomwire.errors import ConfigurationError, InvalidNamespace, RateLimited
from roomwire.identity.capabilities import CONNECT
from roomwire.identity.tokens import User
from roomwire.limits.accounts import Account
from roomwire.limits.bounds import Bound
from roomwire.limits.classes import ClientClass, class_of
from roomwire.limits.client import Limits
from roomwire.rooms.member import Member
from roomwire.server.patterns import NamespacePattern
from roomwire.server.stock import Stock

_T = TypeVar("_T")


NAMESPACE_BYTES: Final = 8_192
"""What a namespace takes: that of a gateway with ten handlers and hooks that have guards takes 6 KB."""


class Template(Protocol):
    """What serves all namespaces of a pattern."""

    @property
    def pattern(self) -> NamespacePattern:
        """The pattern."""

    def made_for(self, name: str, parameters: Mapping[str, str]) -> object:
        """Return what serves one namespace: an object as `register_namespace` takes it, or functions by event.

        Args:
            name: The name of the namespace.
            parameters: The parameters in the name.

        Raises:
            InvalidNamespace: A parameter does not have the type that a handler names.

        """


@dataclass(slots=True)
class _Alive:
    """A namespace with clients on this node.

    Attributes:
        template: What it is made of.
        made: What serves it.
        parameters: The parameters in its name.
        is_of_guests: Whether a guest opened it.
        account: The account of the connection that opened it, which is charged.
        members: Its clients, including those about which the server decides, each with the account that it belongs to, if any.

    """

    template: Template
    made: object
    parameters: Mapping[str, str]
    is_of_guests: bool
    account: Account
    members: dict[Member, str | None] = field(default_factory=dict)


class DynamicNamespaces:
    """The patterns of a server, and the namespaces that are alive.

    Args:
        server: The server that has the handlers.
        limits: The limits on such namespaces.
        exceeded: Counts an exceeded limit.

    Attributes:
        templates: What serves the patterns, in the order of registration: the first that matches serves a name.

    """

    def __init__(self, server: Stock, *, limits: Limits, exceeded: Callable[[Bound], None]) -> None:
        self._server = server
        self._limits = limits
        self._exceeded = exceeded
        self.templates: list[Template] = []
        self._alive: dict[str, _Alive] = {}
        self._of_guests = 0
        self._of_users: dict[str, Counter[str]] = {}

    def add(self, template: Template) -> None:
        """Serve the namespaces of a pattern from now on.

        Raises:
            ConfigurationError: A pattern that matches the same names is served.

        """
        for known in self.templates:
            if known.pattern.shape == template.pattern.shape:
                raise ConfigurationError(
                    f"the namespaces {template.pattern.text!r} are served as {known.pattern.text!r}"
                )
        self.templates.append(template)

    def serves(self, namespace: str) -> bool:
        """Return whether a pattern matches a name for which no handler was registered by its name.

        Raises:
            InvalidNamespace: It matches, but no pattern serves such a name.

        """
        return bool(self.templates) and self._found(namespace) is not None

    def parameters_of(self, namespace: str) -> Mapping[str, str]:
        """Return the parameters in the name of a namespace that has clients here; none if no pattern serves it."""
        alive = self._alive.get(namespace)
        return {} if alive is None else alive.parameters

    def handler_of(self, namespace: str) -> object:
        """Return the object that serves a namespace, or would, as for its first client; None if functions or nothing do.

        Raises:
            InvalidNamespace: As for `serves`.

        """
        handlers = self._server.namespace_handlers
        if self.templates and namespace not in handlers and (found := self._found(namespace)) is not None:
            return found[0]
        return handlers.get(namespace) or handlers.get("*")

    def label_of(self, namespace: str) -> str:
        """Return the text of the pattern that serves a namespace, else the namespace: the names of spans are not unbounded."""
        try:
            found = self._found(namespace) if self.templates else None
        except InvalidNamespace:
            return "invalid"
        return namespace if found is None else found[0].pattern.text

    def alive(self) -> Mapping[str, str]:
        """Return the namespaces that are alive, each with the text of its pattern."""
        return {name: one.template.pattern.text for name, one in self._alive.items()}

    def count_alive(self) -> Mapping[str, int]:
        """Return the number of namespaces that are alive, by pattern."""
        counted = Counter(self.alive().values())
        return {one.pattern.text: counted[one.pattern.text] for one in self.templates}

    def static(self, handlers: Mapping[str, _T]) -> Mapping[str, _T]:
        """Return the handlers that were registered by a name, without those of the namespaces of patterns."""
        return {name: one for name, one in handlers.items() if not self._is_alive_as(name, one)}

    def admit(self, member: Member) -> None:
        """Make the namespace of a client that connects, unless it is alive. `leave` ends what this begins.

        Raises:
            NotPermitted: The handlers require that the user's capabilities name the namespace, and they do not.
            InvalidNamespace: A parameter does not have the type that a handler names.
            RateLimited: Too many namespaces are alive.

        """
        name = member.namespace
        self.require_connect(name, member.user)
        alive = self._alive.get(name)
        if alive is None:
            found = self._found(name) if self.templates else None
            if found is None:
                return
            self._require_room(member)
            alive = self._make(member, *found)
        else:
            self._require_room_of_user(member)
        user = alive.members[member] = _user_of(member)
        if user is not None:
            self._of_users.setdefault(user, Counter())[name] += 1

    def require_connect(self, namespace: str, user: User) -> None:
        """Raise `NotPermitted` unless a user may connect to a namespace."""
        if self.is_connect_required(namespace):
            user.capabilities.require(CONNECT, namespace)

    def is_connect_required(self, namespace: str) -> bool:
        """Return whether a user's capabilities must allow `connect` for a namespace."""
        return bool(getattr(self.handler_of(namespace), "requires_connect", False))

    def leave(self, member: Member) -> None:
        """Note that a client is gone; its namespace goes with the last one. Idempotent."""
        alive = self._alive.get(member.namespace)
        if alive is None or member not in alive.members:
            return
        user = alive.members.pop(member)
        if user is not None:
            counted = self._of_users[user]
            counted[member.namespace] -= 1
            if not counted[member.namespace]:
                del counted[member.namespace]
            if not counted:
                del self._of_users[user]
        if not alive.members:
            del self._alive[member.namespace]
            self._of_guests -= alive.is_of_guests
            alive.account.hold(-NAMESPACE_BYTES)
            for handlers in (self._server.handlers, self._server.namespace_handlers):
                if handlers.get(member.namespace) is alive.made:
                    del cast("MutableMapping[str, object]", handlers)[member.namespace]

    def _found(self, namespace: str) -> tuple[Template, Mapping[str, str]] | None:
        """Return what serves a namespace by a pattern, and the parameters in its name."""
        server = self._server
        alive = self._alive.get(namespace)
        if alive is not None:
            return alive.template, alive.parameters
        listed = () if server.namespaces == "*" else server.namespaces
        if namespace in server.handlers or namespace in server.namespace_handlers or namespace in listed:
            return None
        for template in self.templates:
            parameters = template.pattern.parameters_in(namespace)
            if parameters is not None:
                return template, parameters
        return None

    def _make(self, member: Member, template: Template, parameters: Mapping[str, str]) -> _Alive:
        name = member.namespace
        made = template.made_for(name, parameters)
        is_of_guests = class_of(member.user.kind) is ClientClass.GUESTS
        account = member.connection.account
        account.hold(NAMESPACE_BYTES)
        alive = self._alive[name] = _Alive(template, made, parameters, is_of_guests, account)
        self._of_guests += is_of_guests
        handlers = self._server.handlers if isinstance(made, Mapping) else self._server.namespace_handlers
        cast("MutableMapping[str, object]", handlers)[name] = made
        return alive

    def _require_room(self, member: Member) -> None:
        """Refuse a namespace that would be one too many."""
        most = self._limits.max_dynamic_namespaces
        is_guest = class_of(member.user.kind) is ClientClass.GUESTS
        # Guests open the half of them at most: a guest is a new user at will.
        if most and (len(self._alive) >= most or (is_guest and self._of_guests >= (most + 1) // 2)):
            self._exceeded(Bound.DYNAMIC_NAMESPACES)
            raise RateLimited("Too many namespaces are open: try again later.")
        self._require_room_of_user(member)

    def _require_room_of_user(self, member: Member) -> None:
        most, user = self._limits.max_dynamic_namespaces_per_user, _user_of(member)
        open_ones: Mapping[str, int] = {} if user is None else self._of_users.get(user, {})
        if most and member.namespace not in open_ones and len(open_ones) >= most:
            self._exceeded(Bound.DYNAMIC_NAMESPACES_PER_USER)
            raise RateLimited("This user has too many namespaces open: leave one first.")

    def _is_alive_as(self, name: str, handler: object) -> bool:
        alive = self._alive.get(name)
        return alive is not None and alive.made is handler


def _user_of(member: Member) -> str | None:
    """Return the user whose namespaces are counted: an account, since a guest is a new user at will."""
    return member.user.id if class_of(member.user.kind) is ClientClass.USERS else None
