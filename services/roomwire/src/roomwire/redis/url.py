"""Parses the URLs of a Redis or Valkey: one server, the primary that Sentinels name, or a cluster.

It reads and checks them for the settings and for connections. It opens only the TLS files, in `RedisUrl.context`.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from roomwire.errors import ConfigurationError
from roomwire.redis.errors import NoSuchRedisUrl, UnknownOptions, UnknownScheme, UnusableTls

_SCHEMES: Final[Mapping[str, tuple[Literal["one", "sentinel", "cluster"], bool]]] = {
    "redis": ("one", False),
    "rediss": ("one", True),
    "unix": ("one", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379
_TLS_OPTIONS: Final = frozenset(
    {"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"}
)
_SENTINEL_OPTIONS: Final = frozenset({"sentinel_user", "sentinel_password"})
_DATABASE_OPTION: Final = frozenset({"db"})
_SHAPE: Final = "scheme://user:password@host:port/db, with special characters as %xx"
_UNIX_SHAPE: Final = "unix://user:password@/path?db=0"
_SENTINEL_SHAPE: Final = "redis+sentinel://user:password@host:port,host2:port2/service/db"
_CLUSTER_SHAPE: Final = "redis+cluster://user:password@host:port,host2:port2: a cluster has database 0 only"
_NO: Final = frozenset({"false", "0", "no"})


class Host(NamedTuple):
    """The address of a server: a host name or IP address, and a TCP port."""

    name: str
    port: int


class RedisUrl(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a URL.

    Attributes:
        kind: Whether the hosts are one server, Sentinels, or members of a cluster.
        hosts: The hosts to ask, in this order; empty if `path` is given.
        path: A Unix socket.
        service: The name of the primary at the Sentinels.
        user: The ACL user at the servers. Default: `default`, if there is a password.
        password: The user's password.
        database: The number of the database.
        sentinel_user: The ACL user at the Sentinels.
        sentinel_password: That user's password. Default: the Sentinels need none.
        has_tls: Whether Sentinels and servers use TLS.
        tls: The options of TLS.

    """

    kind: Literal["one", "sentinel", "cluster"]
    hosts: tuple[Host, ...] = ()
    path: str = ""
    service: str = ""
    user: str = ""
    password: str = ""
    database: int = 0
    sentinel_user: str = ""
    sentinel_password: str = ""
    has_tls: bool = False
    tls: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Return the URL's kind and hosts, without secrets."""
        return (
            f"<RedisUrl {self.kind} {self.path or ','.join(f'{name}:{port}' for name, port in self.hosts)}>"
        )

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context, or None without TLS.

        Raises:
            ConfigurationError: A file that the URL names cannot be read.

        """
        if not self.has_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.tls.get("ssl_ca_certs"))
            if "ssl_certfile" in self.tls:
                context.load_cert_chain(self.tls["ssl_certfile"], self.tls.get("ssl_keyfile"))
        except OSError as error:
            raise UnusableTls(error) from None
        if self.tls.get("ssl_check_hostname", "true").lower() in _NO:
            context.check_hostname = False
        if self.tls.get("ssl_cert_reqs") == "none":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def believing(url: str, ca_file: Path) -> str:
    """Return a URL with the CA file that verifies its servers, unless the URL already names one.

    Raises:
        ConfigurationError: The URL is invalid, or does not use TLS.

    """
    said = parse_redis_url(url)
    if not said.has_tls:
        raise ConfigurationError("a CA file is set, but this URL does not use TLS: use rediss://")
    if "ssl_ca_certs" in said.tls:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'ssl_ca_certs': str(ca_file)})}"


def parse_redis_url(url: str) -> RedisUrl:
    """Parse a URL. Special characters in its parts are written as `%xx`.

    ==============================================================  ==================================================
    ``redis://user:password@host:port/db``                          one server
    ``unix://user:password@/path?db=0``                             one server on this machine
    ``redis+sentinel://user:password@host:port,host2/service/db``   the primary that Sentinels know by that name;
                                                                    options `sentinel_user`, `sentinel_password`
    ``redis+cluster://user:password@host:port,host2:port2``         a cluster; any of its members
    ==============================================================  ==================================================

    ``rediss`` stands for TLS and adds the options `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `ssl_cert_reqs`
    (`required` or `none`) and `ssl_check_hostname`.

    Raises:
        ConfigurationError: The URL is invalid. The message shows no part of it that may be secret.

    """
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES:
        raise UnknownScheme(_SCHEMES)
    kind, has_tls = _SCHEMES[scheme]
    credentials, _, where = rest.rpartition("@")
    # Such a URL would be split in the wrong place, and part of the password would become a host or path.
    if re.search(r"[/?#@\[\]\s]", credentials) or not credentials.isascii() or re.search(r"[#\s]", where):
        raise NoSuchRedisUrl(_SHAPE)
    user, _, password = credentials.partition(":")
    location, _, query = where.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    _check_options(options, kind, has_tls=has_tls)
    place, _, path = location.partition("/")
    said = RedisUrl(
        kind=kind,
        user=unquote(user),
        password=unquote(password),
        sentinel_user=options.get("sentinel_user", ""),
        sentinel_password=options.get("sentinel_password", ""),
        has_tls=has_tls,
        tls={name: value for name, value in options.items() if name in _TLS_OPTIONS},
    )
    database = options.get("db", "")
    if scheme == "unix":
        if place or not path:
            raise NoSuchRedisUrl(_UNIX_SHAPE)
        return msgspec.structs.replace(said, path=f"/{unquote(path)}", database=_number(database))
    said = msgspec.structs.replace(said, hosts=_hosts(place, kind))
    if kind == "sentinel":
        service, _, number = path.partition("/")
        if not service:
            raise NoSuchRedisUrl(_SENTINEL_SHAPE)
        return msgspec.structs.replace(said, service=unquote(service), database=_number(number or database))
    number = path.rstrip("/") or database
    if kind == "cluster" and number not in {"", "0"}:
        raise NoSuchRedisUrl(_CLUSTER_SHAPE)
    return msgspec.structs.replace(said, database=_number(number))


def shown_hosts(url: str) -> str:
    """Return the hosts of a URL without secrets, or an empty text for a URL without hosts, such as `memory://`."""
    try:
        said = parse_redis_url(url)
    except ConfigurationError:
        return ""
    return said.path or ",".join(f"{name}:{port}" for name, port in said.hosts)


def _check_options(options: Mapping[str, str], kind: str, *, has_tls: bool) -> None:
    known = _DATABASE_OPTION | (_SENTINEL_OPTIONS if kind == "sentinel" else frozenset())
    if has_tls:
        known |= _TLS_OPTIONS
    if options.keys() - known:
        raise UnknownOptions(known)
    if options.get("ssl_cert_reqs", "required") not in {"required", "none"}:
        raise ConfigurationError("use required or none for ssl_cert_reqs")


def _hosts(place: str, kind: str) -> tuple[Host, ...]:
    hosts = tuple(_host(one, _SENTINEL_PORT if kind == "sentinel" else _PORT) for one in place.split(","))
    if kind == "one" and len(hosts) > 1:
        raise ConfigurationError("use redis+sentinel:// or redis+cluster:// to name several hosts")
    return hosts


def _host(text: str, default_port: int) -> Host:
    try:
        parts = urlsplit(f"redis://{text}")
        name, port = parts.hostname, parts.port
    except ValueError:
        raise NoSuchRedisUrl(_SHAPE) from None
    if not name or port == 0:
        raise NoSuchRedisUrl(_SHAPE)
    return Host(name, port or default_port)


def _number(text: str) -> int:
    text = text.rstrip("/") or "0"
    if not (text.isascii() and text.isdecimal()):
        raise ConfigurationError("use a number for the database")
    return int(text)
