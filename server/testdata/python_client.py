"""The end-to-end test of examples/python/holdfast.py; python_test.go runs it against a server.

Usage: python_client.py PORT. It prints a word when it wants the test to do something, and waits
for a line of answer.
"""

import sys

import holdfast


def ask_the_test(word):
    print(word, flush=True)
    sys.stdin.readline()


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as err:
        return err
    raise AssertionError("%s was not raised" % kind.__name__)


db = holdfast.Client(port=int(sys.argv[1]))

# Every operation.
db.set(b"user:1", b"Ada")
assert db.get(b"user:1") == b"Ada"
assert db.exists(b"user:1")
assert db.delete(b"user:1")
assert not db.delete(b"user:1")
assert not db.exists(b"user:1")
raises(holdfast.NotFound, db.get, b"user:1")
db.set(b"\x00\xff", bytes(range(256)))
assert db.get(b"\x00\xff") == bytes(range(256))
db.set(b"empty", b"")
assert db.get(b"empty") == b""
large = b"v" * (1 << 20)
db.set(b"large", large)
assert db.get(b"large") == large

# Lists, in several pages and of one instant.
want = {b"user:%03d" % i: b"value %d" % i for i in range(250)}
db.bulk_set(want)
assert dict(db.scan(prefix=b"user:", page=7)) == want
assert list(db.keys(prefix=b"user:", page=100)) == sorted(want)
assert list(db.keys(start=b"user:010", end=b"user:012")) == [b"user:010", b"user:011"]
pages = db.keys(prefix=b"user:", page=100)
first = next(pages)
for key in want:
    db.delete(key)
assert [first] + list(pages) == sorted(want)
assert list(db.keys(prefix=b"user:")) == []
assert list(db.keys(prefix=b"user:", page=5)) == []

# What fails, and leaves the connection usable.
assert raises(holdfast.Failed, db.set, b"", b"v").status == 19
assert raises(holdfast.Failed, db.get, b"k" * 65537).status == 20
assert raises(holdfast.Failed, db.bulk_set, {}).status == 16
assert raises(holdfast.Failed, db.set, b"k", b"v" * holdfast.MAX_FRAME).status is None
db.set(b"still", b"there")

# The connection is cut off while a write is in hand: its outcome is unknown.
print("cut the connection off", flush=True)
assert raises(holdfast.Unknown, db.set, b"held", b"v").status is None
sys.stdin.readline()
assert db.get(b"still") == b"there"  # on a new connection

# The server goes away. The goodbye says that the request was never begun.
ask_the_test("stop the server")
gone = raises(holdfast.Failed, db.set, b"late", b"v")
assert gone.status == 33 and gone.retryable, gone
assert raises(holdfast.Failed, db.set, b"late", b"v").status is None  # nobody to connect to

print("done", flush=True)
