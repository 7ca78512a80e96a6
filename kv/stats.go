package kv

import (
	"fmt"
	"log/slog"
	"time"
)

// Stats is a picture of a store. Its figures are each exact, but not all of
// the same instant.
type Stats struct {
	Keys     int // keys that are there
	Segments int // segment files that the manifest lists

	LastSeq    uint64 // sequence number of the newest record that readers see
	DurableSeq uint64 // of the newest durable record; less than LastSeq only under an interval policy

	// Since Open: groups committed, records in them, syncs of the log, bytes
	// written to it.
	Groups, Records, Syncs, Bytes uint64

	// Sync is the policy. Unless it is SyncAlways, a crash may lose the writes
	// after DurableSeq.
	Sync SyncPolicy
	// Fenced is nil, or the error that every write returns; it is ErrFenced
	// and the cause.
	Fenced error
	// Recovery is what Open found and did.
	Recovery RecoveryReport
}

// RecoveryReport says what Open found and did.
type RecoveryReport struct {
	Created  bool          // there was no store before
	Duration time.Duration // from the lock to the last sync
	Segments int           // segment files listed afterwards
	Records  uint64        // records replayed
	Keys     int           // keys found

	// Rewritten is how many of the last records were written again, because
	// only the kernel's cache may have had them.
	Rewritten uint64

	// Removed is how many segment files were removed because nothing in them is
	// needed: what a crash left of beginning a segment, or of recovery.
	Removed int

	// CutBytes is the length of the torn tail that was cut, zero for none. It
	// stood in CutFile at CutOffset. Its writes were not acknowledged, unless
	// it is damage to the writes of the last second before a crash: one machine
	// cannot tell the two apart.
	CutBytes  int64
	CutFile   string
	CutOffset int64

	// Notes are what else was met and set right, in words.
	Notes []string
}

func (r *RecoveryReport) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

func (r *RecoveryReport) log(log *slog.Logger) {
	if r.CutBytes > 0 {
		log.Warn("a torn tail was cut; nothing in it was acknowledged, unless writes of the last second were damaged afterwards",
			"file", r.CutFile, "offset", r.CutOffset, "bytes", r.CutBytes)
	}
	for _, note := range r.Notes {
		log.Warn("recovery: " + note)
	}
}

// Stats returns a picture of the store. It works on a closed store too, where
// Keys is zero.
func (db *DB) Stats() Stats {
	db.mu.RLock()
	keys := db.index.len()
	db.mu.RUnlock()
	return Stats{
		Keys:       keys,
		Segments:   int(db.segmentCount.Load()),
		LastSeq:    db.lastSeq.Load(),
		DurableSeq: db.durableSeq.Load(),
		Groups:     db.counters.groups.Load(),
		Records:    db.counters.records.Load(),
		Syncs:      db.counters.syncs.Load(),
		Bytes:      db.counters.bytes.Load(),
		Sync:       db.opts.Sync,
		Fenced:     db.fenceError(),
		Recovery:   db.recovery,
	}
}
