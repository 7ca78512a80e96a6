package server

import "sync/atomic"

// maxIdleWorkers is how many goroutines wait for the next request, of any connection.
const maxIdleWorkers = 512

// workers executes calls, each in a goroutine of its own so that none waits for another. Goroutines
// are used again: a new one would have to grow its stack for every read from the disk, which measures
// a fifth to a third of the cost of a Get.
type workers struct {
	calls chan work
	idle  atomic.Int64
}

type work struct {
	conn *conn
	call *call
}

func newWorkers() *workers { return &workers{calls: make(chan work)} }

// start has w executed at once, by a goroutine that waits or by a new one.
func (p *workers) start(w work) {
	select {
	case p.calls <- w:
	default:
		go p.run(w)
	}
}

func (p *workers) run(w work) {
	for ok := true; ok; {
		w.conn.execute(w.call)
		w.conn.out.put(w.call)
		w.conn.flight.end()
		w = work{} // an idle worker must not keep a closed connection alive
		w, ok = p.wait()
	}
}

// wait returns the next work, or false when there is to be none for this goroutine.
func (p *workers) wait() (work, bool) {
	defer p.idle.Add(-1)
	if p.idle.Add(1) > maxIdleWorkers {
		return work{}, false
	}
	w, ok := <-p.calls
	return w, ok
}

// close ends the goroutines that wait. Nothing may be started afterwards.
func (p *workers) close() { close(p.calls) }
