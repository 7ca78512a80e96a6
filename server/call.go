package server

import (
	"sync"

	"holdfast/internal/wire"
)

// pooledBytes is the room for a payload in a pooled call. It is part of callBytes, so that a
// small request in a pooled buffer is charged for all of it.
const pooledBytes = 2 << 10

// call is one request on its way through the server, with its reply. It belongs to the reader, then
// to the goroutine that executes it, then to the outbox and the writer, which recycles it.
type call struct {
	payload []byte // req aliases it
	req     wire.Request
	reply   wire.Reply
	charge  charge

	valueBytes int // Get: the size of the value when memory was reserved for it
}

var callPool = sync.Pool{New: func() any { return &call{payload: make([]byte, 0, pooledBytes)} }}

// newCall returns an empty call with room for a payload of n bytes.
func newCall(n int) *call {
	if n > pooledBytes {
		return &call{payload: make([]byte, 0, n)}
	}
	return callPool.Get().(*call)
}

// free recycles the call. Nothing may refer to it or its payload any more.
func (c *call) free() {
	if cap(c.payload) == pooledBytes {
		*c = call{payload: c.payload[:0]}
		callPool.Put(c)
	}
}

// fail makes err the reply.
func (c *call) fail(err error) {
	e := refusal(c.req.Op, err)
	c.reply = wire.Reply{ID: c.req.ID, Op: c.req.Op, Status: e.Status, Message: e.Message}
}
