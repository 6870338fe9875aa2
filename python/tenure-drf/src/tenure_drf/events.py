"""A stream of events (WHATWG HTML, 9.2), as far as the issuer makes use of it: a name, and one line of data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

#: The longest line of the stream.
LINE_MAX: Final = 64 * 1024


class Event(NamedTuple):
    name: str
    data: bytes


class Events:
    """Puts events together from the pieces in which they come."""

    def __init__(self) -> None:
        self._line = b""
        self._name = ""
        self._data = b""

    def push(self, piece: bytes) -> Iterator[Event]:
        """The events that are complete with this piece."""
        *whole, self._line = (self._line + piece).split(b"\n")
        if any(len(line) > LINE_MAX for line in (*whole, self._line)):
            raise ValueError("a line of the stream has no end")
        for line in whole:
            yield from self._read(line.removesuffix(b"\r"))

    def _read(self, line: bytes) -> Iterator[Event]:
        """An empty line ends an event; what is neither a name nor data is passed over, as comments are."""
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if not line:
            event = Event(self._name, self._data)
            self._name, self._data = "", b""
            if event.data:
                yield event
        elif name == b"event":
            self._name = value.decode(errors="replace")
        elif name == b"data":
            self._data = value
