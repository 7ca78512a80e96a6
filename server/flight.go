package server

import "sync"

// flight counts the requests of a connection that are being executed, from the moment the reader
// starts them until their reply is in the outbox.
type flight struct {
	mu       sync.Mutex
	n        int
	draining bool
	landed   chan struct{} // made by the first land; closed when draining and n == 0
}

// begin counts one request in, or returns false because land was called.
func (f *flight) begin() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining {
		return false
	}
	f.n++
	return true
}

// end counts one request out.
func (f *flight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.draining && f.n == 0 {
		close(f.landed)
	}
}

// land lets no further request begin and returns a channel that is closed once none is left. It
// may be called again.
func (f *flight) land() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.draining {
		f.draining = true
		f.landed = make(chan struct{})
		if f.n == 0 {
			close(f.landed)
		}
	}
	return f.landed
}
