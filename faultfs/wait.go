package faultfs

import "time"

// wait is what a delay or a stall makes of one call.
type wait struct {
	inj   *Injection
	gate  <-chan struct{} // closed when the waiting ends, whatever the clock says
	delay time.Duration   // zero: as long as it takes
}

func (w wait) wait() {
	if w.delay == 0 {
		<-w.gate
		return
	}
	timer := time.NewTimer(w.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.gate:
	}
}

// Waiting returns how many calls wait at this moment because the rule delays or
// stalls them.
func (i *Injection) Waiting() int {
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	return i.waiting
}

// Release lets the calls go on that wait because of the rule. The rule stays,
// and the next call that it strikes waits again.
func (i *Injection) Release() {
	i.fs.mu.Lock()
	defer i.fs.mu.Unlock()
	i.release()
}

// release opens the gate for those who wait and puts up a new one. The caller
// holds fs.mu.
func (i *Injection) release() {
	close(i.gate)
	i.gate = make(chan struct{})
}
