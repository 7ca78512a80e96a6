package kv

import (
	"bytes"
	"fmt"
	"iter"
	"sync/atomic"
)

// ScanOptions says what a scan returns. The zero value is everything.
type ScanOptions struct {
	// Prefix is what every key begins with.
	Prefix []byte
	// Start is the first key that may be returned, End the first that may
	// not. Empty means no bound.
	Start, End []byte
	// Limit is the most pairs to return; zero means no limit.
	Limit int
	// LimitBytes bounds a page: it ends before the pair with which its keys
	// and values would take more bytes, but never without a pair. Zero means
	// no limit. It does not bound Scan.
	LimitBytes int
	// KeysOnly leaves values nil and unread.
	KeysOnly bool
}

// Pair is a key and its value. The receiver owns both slices.
type Pair struct {
	Key, Value []byte
}

// Page is a part of a range.
type Page struct {
	Pairs []Pair
	// Next is the Start with which the next page begins, nil when this page
	// ends the range.
	Next []byte
}

// Scan returns the pairs of a range in key order, all of the instant at which
// the loop over it begins. It ends after an error, with an empty pair.
func (db *DB) Scan(o ScanOptions) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		s, err := db.Snapshot()
		if err != nil {
			yield(Pair{}, err)
			return
		}
		defer s.Close()
		s.Scan(o)(yield)
	}
}

// ScanPage returns one page of a range, all of one instant. Two pages of a DB
// are of two instants; use a Snapshot where that matters.
func (db *DB) ScanPage(o ScanOptions) (Page, error) {
	s, err := db.Snapshot()
	if err != nil {
		return Page{}, err
	}
	defer s.Close()
	return s.ScanPage(o)
}

// Snapshot is the store as it was at one instant. All methods are safe for
// concurrent use. It costs memory while later writes change the index, until it
// is closed.
type Snapshot struct {
	db     *DB
	index  index
	closed atomic.Bool
}

// Snapshot takes a snapshot, in constant time.
func (db *DB) Snapshot() (*Snapshot, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.closed {
		return nil, ErrClosed
	}
	return &Snapshot{db: db, index: db.index.snapshot()}, nil
}

// Close lets go of the snapshot. Scans that are under way return ErrClosed.
func (s *Snapshot) Close() { s.closed.Store(true) }

// Scan returns the pairs of a range in key order. It ends after an error, with
// an empty pair.
func (s *Snapshot) Scan(o ScanOptions) iter.Seq2[Pair, error] {
	return func(yield func(Pair, error) bool) {
		left := o.Limit
		s.ascend(o, func(key string, l location) bool {
			p, err := s.pair(key, l, o.KeysOnly)
			if err != nil {
				yield(Pair{}, err)
				return false
			}
			left--
			return yield(p, nil) && left != 0
		}, func(err error) { yield(Pair{}, err) })
	}
}

// ScanPage returns one page of a range.
func (s *Snapshot) ScanPage(o ScanOptions) (Page, error) {
	var page Page
	var failed error
	size := 0
	s.ascend(o, func(key string, l location) bool {
		cost := len(key)
		if !o.KeysOnly {
			cost += int(l.valueLen)
		}
		full := o.Limit > 0 && len(page.Pairs) == o.Limit ||
			o.LimitBytes > 0 && len(page.Pairs) > 0 && size+cost > o.LimitBytes
		if full {
			page.Next = []byte(key)
			return false
		}
		var p Pair
		if p, failed = s.pair(key, l, o.KeysOnly); failed != nil {
			return false
		}
		page.Pairs = append(page.Pairs, p)
		size += cost
		return true
	}, func(err error) { failed = err })
	if failed != nil {
		return Page{}, failed
	}
	return page, nil
}

// ascend hands over the keys of the range in order until each returns false.
func (s *Snapshot) ascend(o ScanOptions, each func(key string, l location) bool, fail func(error)) {
	if s.closed.Load() || s.db.isClosed() {
		fail(ErrClosed)
		return
	}
	start := o.Prefix
	if bytes.Compare(o.Start, start) > 0 {
		start = o.Start
	}
	prefix, end := string(o.Prefix), string(o.End)
	s.index.ascend(string(start), func(key string, l location) bool {
		if s.closed.Load() {
			fail(ErrClosed)
			return false
		}
		inRange := len(key) >= len(prefix) && key[:len(prefix)] == prefix && (end == "" || key < end)
		return inRange && each(key, l)
	})
}

func (s *Snapshot) pair(key string, l location, keyOnly bool) (Pair, error) {
	p := Pair{Key: []byte(key)}
	if keyOnly {
		return p, nil
	}
	s.db.mu.RLock()
	l = l.now()
	p.Value = s.db.gathered.value(l, len(key))
	s.db.mu.RUnlock()
	if p.Value != nil {
		return p, nil
	}
	var err error
	if p.Value, err = s.db.readValue(l, p.Key); err != nil {
		return Pair{}, fmt.Errorf("scanning: %w", err)
	}
	return p, nil
}
