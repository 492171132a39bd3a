"""Names of keys and channels. All carry one hash tag, so that a cluster keeps them in one slot."""

from roomwire.log.sessions import NodeId, Sid
from roomwire.log.streams import Stream, sid_stream


class Keys:
    """Builds the names.

    Args:
        prefix: The prefix of every name.

    """

    def __init__(self, prefix: str) -> None:
        self.prefix = f"{prefix}:{{0}}:".encode()
        self.log = self.prefix + b"log"
        self.registry = self.prefix + b"registry"
        self.reads = self.prefix + b"reads"
        self.due = self.prefix + b"due"
        self._stream = self.prefix + b"room:"
        self._channel = self.prefix + b"ch:"
        self._channel_size = len(self._channel)

    def stream(self, stream: Stream) -> bytes:
        """Return the key of a stream's entries."""
        return self._stream + stream

    def channel(self, stream: Stream) -> bytes:
        """Return the channel on which a stream's entries are pushed."""
        return self._channel + stream

    def stream_of(self, channel: bytes) -> Stream:
        """Return the stream whose entries are pushed on a channel."""
        return Stream(channel[self._channel_size :])

    def session(self, sid: Sid) -> bytes:
        """Return the key of a session."""
        return self.prefix + b"session:" + sid_stream(sid)[2:]

    def members(self, stream: Stream) -> bytes:
        """Return the key of the index of a room's sessions."""
        return self.prefix + b"members:" + stream

    def history(self, name: bytes) -> bytes:
        """Return the key of a history; see `roomwire.log.kept.history_name`."""
        return self.prefix + b"history:" + name

    def published(self, node: NodeId) -> bytes:
        """Return the key of the number of a gateway's last publish."""
        return self.prefix + b"pub:" + node.encode()

    def node(self, node: NodeId) -> bytes:
        """Return the channel of one gateway: entries for its sockets, fences, requests."""
        return self.prefix + b"node:" + node.encode()
