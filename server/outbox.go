package server

import (
	"runtime"
	"sync"
)

// outbox holds the replies of a connection that are complete and not yet written. It needs no bound
// of its own: every call in it holds a slot of the connection's account.
type outbox struct {
	wake chan struct{} // holds a token when there may be something to take

	mu     sync.Mutex
	queue  []*call
	closed bool
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put adds a call whose reply is complete.
func (o *outbox) put(c *call) {
	o.mu.Lock()
	o.queue = append(o.queue, c)
	o.mu.Unlock()
	o.poke()
}

// close lets take return false once the queue is empty. Nothing may be put afterwards.
func (o *outbox) close() {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.poke()
}

func (o *outbox) poke() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// take returns all that is queued, leaving spare, emptied, as the next queue. It waits until there is
// something, and returns false when there will be nothing more.
func (o *outbox) take(spare []*call) ([]*call, bool) {
	for {
		o.mu.Lock()
		if batch := o.queue; len(batch) > 0 {
			o.queue = spare[:0]
			o.mu.Unlock()
			return batch, true
		}
		closed := o.closed
		o.mu.Unlock()
		if closed {
			return nil, false
		}
		<-o.wake
		runtime.Gosched()
	}
}
