package kv

import "sync/atomic"

// publisher makes durable groups visible and wakes their callers, in the order
// in which they were committed, while the committer is in the next sync: with
// many callers the index costs as much time as the disk.
type publisher struct {
	db     *DB
	groups chan *group   // closed by stop
	ended  chan struct{} // closed when the last group is published
	behind atomic.Int64  // groups handed over and not published yet
}

func startPublisher(db *DB) *publisher {
	p := &publisher{db: db, groups: make(chan *group, 1), ended: make(chan struct{})}
	go p.run()
	return p
}

func (p *publisher) run() {
	for g := range p.groups {
		p.db.publish(g, gathered{})
		p.behind.Add(-1)
		g.finish(nil)
	}
	close(p.ended)
}

// stop publishes what was handed over and ends the goroutine.
func (p *publisher) stop() {
	close(p.groups)
	<-p.ended
}

// deliver publishes a durable group, here if there is nothing else to do, which
// saves a lone caller a switch between goroutines.
func (c *committer) deliver(g *group) {
	if c.publisher.behind.Load() == 0 && c.db.queue.idle() {
		c.db.publish(g, gathered{})
		g.finish(nil)
		return
	}
	c.publisher.behind.Add(1)
	c.publisher.groups <- g
}

// publish makes a group visible to readers, together with what is gathered
// now.
func (db *DB) publish(g *group, now gathered) {
	records := 0
	db.mu.Lock()
	for _, w := range g.writes {
		db.publishWrite(w, g.seg)
		records += len(w.keys)
	}
	db.gathered = now
	db.mu.Unlock()
	if records == 0 {
		return
	}
	db.lastSeq.Store(g.lastSeq)
	db.counters.groups.Add(1)
	db.counters.records.Add(uint64(records))
}

// publishWrite puts the records of w, which stand in seg, into the index. The
// caller holds db.mu.
func (db *DB) publishWrite(w *write, seg *segment) {
	rec, offset := w.records, w.offset
	for i, key := range w.keys {
		keyLen, valueLen := le.Uint32(rec[8:]), le.Uint32(rec[12:])
		if rec[4] == kindDelete {
			w.existed = db.index.delete(key)
		} else {
			db.index.set(key, location{
				seg: seg, seq: w.seq + uint64(i),
				slot: uint32(offset / recordAlign), valueLen: valueLen,
			})
		}
		size := recordSize(int(keyLen), int(valueLen))
		rec, offset = rec[size:], offset+size
	}
}

// counters are what Stats reports of a store's life since it was opened.
type counters struct {
	groups, records, syncs, bytes atomic.Uint64
}
