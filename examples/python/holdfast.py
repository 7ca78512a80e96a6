"""A client for the Holdfast key-value server, in Python's standard library alone.

It is written from docs/PROTOCOL.md and nothing else, as an example to start from. It does one
request at a time; for use by several threads give each thread a Client of its own.

    with Client() as db:
        db.set(b"user:1", b"Ada")
        db.get(b"user:1")                       # b"Ada"
        db.bulk_set({b"a": b"1", b"b": b"2"})   # both or neither
        list(db.scan(prefix=b"user:"))          # [(b"user:1", b"Ada")]

A call ends in one of three ways. It returns: done, and for a write: durable. It raises Failed: certainly
not applied, now or later. It raises Unknown: a write that may or may not have been applied. Do not
just send such a write again: meanwhile somebody else may have written a newer value.

As a program it makes one call to the server on this machine, and shows what came of it:

    python3 holdfast.py set greeting hello
    python3 holdfast.py get greeting
"""

import socket
import struct
import sys

VERSION = 1
MAX_FRAME = 10 * 1024 * 1024

SET, GET, DELETE, BULK_SET, EXISTS, KEYS, SCAN = range(1, 8)

OK, NOT_FOUND, MALFORMED = 0, 1, 16
STATUS = {
    0: "OK", 1: "NotFound",
    16: "Malformed", 17: "UnknownOp", 18: "FrameTooLarge", 19: "EmptyKey", 20: "KeyTooLarge",
    21: "ValueTooLarge", 22: "BatchTooLarge", 23: "ScanExpired", 24: "UnsupportedVersion",
    32: "TooManyConnections", 33: "ShuttingDown", 34: "Busy",
    48: "DiskFull", 49: "Fenced", 50: "Damaged", 51: "ReadFailed",
    64: "OutcomeUnknown", 65: "Internal",
}
RETRYABLE = {32, 33, 34, 48, 49}  # not applied, and what stood in the way can pass; for 49 it takes longer
MAYBE_APPLIED = {64, 65}          # and every status that is not in the table
WRITES = {SET, DELETE, BULK_SET}


class Error(Exception):
    """What every call raises. status is the number from the server, None if it did not say."""

    def __init__(self, message, status=None):
        name = "" if status is None else STATUS.get(status, "status %d" % status) + ": "
        super().__init__(name + message)
        self.status = status
        self.retryable = status in RETRYABLE


class Failed(Error):
    """Certainly not applied. retryable says whether to try the same again a little later."""


class NotFound(Failed):
    """There is no such key."""


class Unknown(Error):
    """A write that may or may not have been applied."""


class Client:
    """A connection to a server, made on first use and again after it was lost."""

    def __init__(self, host="127.0.0.1", port=65433, timeout=5.0, max_frame=MAX_FRAME):
        self._address = (host, port)
        self._timeout = timeout      # seconds that the transport may stand still
        self._max_frame = max_frame
        self._socket = None
        self._last_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the connection. The next call makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # The operations. Keys and values are bytes.

    def set(self, key, value):
        self._call(SET, _bytes(key) + _bytes(value))

    def get(self, key):
        """The value of key, or NotFound."""
        return _Body(self._call(GET, _bytes(key))).bytes()

    def delete(self, key):
        """Remove key; True if it was there."""
        return self._call(DELETE, _bytes(key)) == b"\x01"

    def exists(self, key):
        return self._call(EXISTS, _bytes(key)) == b"\x01"

    def bulk_set(self, pairs):
        """Store all of a dict, or of a list of (key, value), as one unit: all or nothing."""
        pairs = list(pairs.items() if hasattr(pairs, "items") else pairs)
        body = b"".join(_bytes(key) + _bytes(value) for key, value in pairs)
        self._call(BULK_SET, struct.pack(">I", len(pairs)) + body)

    def keys(self, prefix=b"", start=b"", end=b"", page=0):
        """Go through the keys in order, start included, end not. All are of one instant."""
        return self._pages(KEYS, prefix, start, end, page, lambda body: body.bytes())

    def scan(self, prefix=b"", start=b"", end=b"", page=0):
        """Go through (key, value) pairs in order, as keys does. page is how many to fetch at a time."""
        return self._pages(SCAN, prefix, start, end, page, lambda body: (body.bytes(), body.bytes()))

    def _pages(self, kind, prefix, start, end, page, entry):
        cursor, connection = 0, None
        while True:
            if cursor and self._socket is not connection:
                # A cursor belongs to its connection; another one may know the same number.
                raise Failed("the connection of this scan is gone, and its snapshot with it")
            request = struct.pack(">Q", cursor) + _bytes(prefix) + _bytes(start) + _bytes(end)
            body = _Body(self._call(kind, request + struct.pack(">I", page)))
            connection = self._socket
            cursor, count = body.unpack(">QI")
            for _ in range(count):
                yield entry(body)
            if cursor == 0:
                return

    # One request and its reply.

    def _call(self, kind, body):
        """Send a request and return the body of its OK reply; raise for everything else."""
        self._last_id += 1
        payload = struct.pack(">BBQ", VERSION, kind, self._last_id) + body
        if len(payload) > self._max_frame:
            raise Failed("a request of %d bytes, at most %d" % (len(payload), self._max_frame))
        self._connect()
        try:
            self._socket.sendall(struct.pack(">I", len(payload)) + payload)
        except OSError as err:
            # The server may have said goodbye before it stopped listening; else some of it is sent.
            return self._reply(kind, self._last_id, err)
        return self._reply(kind, self._last_id, None)

    def _connect(self):
        if self._socket is not None:
            return
        try:
            self._socket = socket.create_connection(self._address, self._timeout)
        except OSError as err:
            raise Failed("cannot connect: %s" % err) from err
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _reply(self, kind, request_id, send_error):
        while True:
            try:
                status, reply_id, body = self._read_frame()
            except (OSError, struct.error, ValueError) as err:
                self.close()
                self._raise(kind, None, "no reply: %s" % (send_error or err))
            if reply_id == request_id:
                break
            if reply_id == 0 and status != MALFORMED:  # the goodbye: the request was never begun
                self.close()
                raise Failed(_Body(body).text(), status)
        if status == OK:
            return body
        self._raise(kind, status, _Body(body).text())

    def _read_frame(self):
        (length,) = struct.unpack(">I", self._read(4))
        if not 10 <= length <= self._max_frame:
            raise ValueError("a reply of %d bytes" % length)
        version, status, reply_id = struct.unpack(">BBQ", self._read(10))
        if version != VERSION:
            raise ValueError("a reply of version %d" % version)
        return status, reply_id, self._read(length - 10)

    def _read(self, count):
        parts = []
        while count > 0:
            part = self._socket.recv(min(count, 1 << 20))
            if not part:
                raise ConnectionError("the server closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _raise(self, kind, status, message):
        if status == NOT_FOUND:
            raise NotFound(message, status)
        maybe = status is None or status in MAYBE_APPLIED or status not in STATUS
        if maybe and kind in WRITES:
            raise Unknown(message, status)
        raise Failed(message, status)  # a read never changes anything


def _bytes(value):
    return struct.pack(">I", len(value)) + value


class _Body:
    """Reads the body of a reply from front to back."""

    def __init__(self, data):
        self._data = data
        self._at = 0

    def unpack(self, layout):
        values = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return values

    def bytes(self):
        (length,) = self.unpack(">I")
        self._at += length
        if self._at > len(self._data):
            raise Failed("a malformed reply")
        return self._data[self._at - length:self._at]

    def text(self):
        return self.bytes().decode("utf-8", "replace")


def _main(args):
    """Carry out one command line; the result is the exit code."""
    calls = {("set", 3): Client.set, ("get", 2): Client.get, ("delete", 2): Client.delete}
    call = calls.get((args[0] if args else "", len(args)))
    if call is None:
        print("usage: holdfast.py set KEY VALUE | get KEY | delete KEY", file=sys.stderr)
        return 2
    try:
        with Client() as db:
            result = call(db, *(arg.encode() for arg in args[1:]))
    except Error as err:
        print("%s: %s" % (type(err).__name__, err), file=sys.stderr)
        return 1
    print("OK" if result is None else result.decode("utf-8", "replace") if isinstance(result, bytes) else result)
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
