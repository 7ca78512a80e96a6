package kv

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

// DB is an open store. All methods are safe for concurrent use.
//
// There is one lock, mu. Readers hold it shared for an index look-up, the
// committer holds it to publish a group; neither holds it across I/O.
type DB struct {
	opts    Options
	storage *storage
	lock    *storeLock
	queue   *queue

	mu       sync.RWMutex
	index    index    // guarded by mu
	gathered gathered // guarded by mu
	closed   bool     // guarded by mu

	fenced       atomic.Pointer[error] // the cause, once there is one
	lastSeq      atomic.Uint64         // of what readers see
	durableSeq   atomic.Uint64         // of what is durable
	segmentCount atomic.Int64
	counters     counters
	recovery     RecoveryReport

	committer *committer
	committed chan struct{} // closed when the committer has ended
	closeErr  error         // of the committer, set before committed is closed
	closeOnce sync.Once
	closing   atomic.Bool // Close was called
}

// gathered is what an interval policy has acknowledged and not yet written:
// the bytes of seg from base on.
type gathered struct {
	seg     *segment
	base    int64
	records []byte
}

// Open opens the store in dir on fsys, and creates it, with missing parent
// directories, if there is none. opts may be nil.
//
// When Open returns, everything that reads can return is durable, and the
// store is locked for this owner until Close. A nil error means that all
// acknowledged data is there; see Stats for what recovery did, such as cutting
// a torn tail.
//
// Open returns ErrLocked when the store is open elsewhere, ErrFormatTooNew,
// ErrInvalidOptions, an error that is ErrDamaged when acknowledged data is
// missing or wrong, or what the file system said. On an error nothing that was
// acknowledged has been changed.
func Open(fsys afero.Fs, dir string, opts *Options) (*DB, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	st := &storage{fs: fsys, dir: dir, log: o.Logger, rand: o.Rand}
	if err := st.makeDir(); err != nil {
		return nil, fmt.Errorf("opening the store: %w", err)
	}
	lock, err := st.lock()
	if err != nil {
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	r := &recovery{st: st, opts: &o, index: newIndex()}
	if err := r.run(); err != nil {
		lock.release()
		return nil, fmt.Errorf("opening the store in %s: %w", dir, err)
	}
	r.report.log(o.Logger)
	return start(st, o, lock, r), nil
}

// start makes a DB of what recovery found, and starts its committer.
func start(st *storage, o Options, lock *storeLock, r *recovery) *DB {
	db := &DB{
		opts: o, storage: st, lock: lock, queue: newQueue(),
		index: r.index, recovery: r.report, committed: make(chan struct{}),
	}
	if !o.Sync.Always() {
		o.Logger.Warn("writes are acknowledged before they are durable: a crash may lose the last interval", "interval", o.Sync.String())
	}
	db.segmentCount.Store(int64(r.report.Segments))
	db.committer = newCommitter(db, r)
	db.lastSeq.Store(db.durableSeq.Load())
	go db.committer.run()
	return db
}

// Get returns the value of key, which the caller owns. It returns ErrNotFound,
// an error that is ErrDamaged when the record is not what was written, or, when
// the record cannot be read, the file system's error; neither of the last two
// concerns any other key.
func (db *DB) Get(key []byte) ([]byte, error) {
	l, value, err := db.find(key)
	if err != nil || value != nil {
		return value, err
	}
	return db.readValue(l, key)
}

// find looks key up. It returns its location or, where the record is not in
// its file yet, its value.
func (db *DB) find(key []byte) (l location, value []byte, err error) {
	if err := db.opts.checkKey(key); err != nil {
		return l, nil, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return l, nil, ErrClosed
	}
	l, ok := db.index.get(key)
	if !ok {
		return l, nil, ErrNotFound
	}
	l = l.now()
	return l, db.gathered.value(l, len(key)), nil
}

// value returns a copy of the value at l if it is among the gathered records,
// else nil.
func (g *gathered) value(l location, keyLen int) []byte {
	if l.seg != g.seg || l.offset() < g.base {
		return nil
	}
	from := l.offset() - g.base + recordHeaderBytes + int64(keyLen)
	return append([]byte{}, g.records[from:from+int64(l.valueLen)]...)
}

// moveGathered tells readers that the gathered records, which the index has at
// from, are to be found at to.
func (db *DB) moveGathered(from, to place, records []byte) {
	db.mu.Lock()
	defer db.mu.Unlock()
	from.seg.moved = &move{from: from.offset, to: to}
	db.gathered = gathered{seg: to.seg, base: to.offset, records: records}
}

func (db *DB) setGathered(g gathered) {
	db.mu.Lock()
	db.gathered = g
	db.mu.Unlock()
}

// readValue reads the value at l, which a look-up under the lock returned.
func (db *DB) readValue(l location, key []byte) ([]byte, error) {
	value, err := l.readValue(key)
	if err != nil && db.isClosed() {
		return nil, ErrClosed // its file was closed under the read
	}
	return value, err
}

func (db *DB) isClosed() bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.closed
}

// ValueSize returns the length of the value of key in bytes, without reading
// it, or ErrNotFound.
func (db *DB) ValueSize(key []byte) (int, error) {
	if err := db.opts.checkKey(key); err != nil {
		return 0, err
	}
	db.mu.RLock()
	defer db.mu.RUnlock()
	if db.closed {
		return 0, ErrClosed
	}
	l, ok := db.index.get(key)
	if !ok {
		return 0, ErrNotFound
	}
	return int(l.valueLen), nil
}

// Exists reports whether key is in the store.
func (db *DB) Exists(key []byte) (bool, error) {
	_, err := db.ValueSize(key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Set stores value under key. When it returns nil the write is durable under
// SyncAlways, and visible. The slices are the caller's again on return.
//
// An error that is ErrOutcomeUnknown leaves open whether the write is applied;
// with any other error it is certainly not.
func (db *DB) Set(key, value []byte) error {
	if err := db.opts.checkPair(key, value); err != nil {
		return err
	}
	w := newWrite()
	w.add(kindSet, 0, key, value)
	_, err := db.commit(w)
	return err
}

// Delete removes key and reports whether it was there. Durability and errors
// are as for Set; a missing key is no error.
func (db *DB) Delete(key []byte) (existed bool, err error) {
	if err := db.opts.checkKey(key); err != nil {
		return false, err
	}
	w := newWrite()
	w.add(kindDelete, 0, key, nil)
	return db.commit(w)
}

// Apply makes all writes of b as one atomic unit. Durability and errors are as
// for Set. An empty batch does nothing. b may be used again on return.
func (db *DB) Apply(b *Batch) error {
	if err := db.opts.checkBatch(b); err != nil {
		return err
	}
	if b.Len() == 0 {
		if db.isClosed() {
			return ErrClosed
		}
		return nil
	}
	w := newWrite()
	for i, op := range b.ops {
		flags := uint8(flagMore)
		if i == len(b.ops)-1 {
			flags = 0
		}
		w.add(op.kind, flags, op.key, op.value)
	}
	_, err := db.commit(w)
	return err
}

// Sync makes everything durable that was acknowledged before the call. Under
// SyncAlways it always is.
func (db *DB) Sync() error {
	w := newWrite()
	w.flush = true
	_, err := db.commit(w)
	return err
}

// commit hands w to the committer, waits, and releases w.
func (db *DB) commit(w *write) (existed bool, err error) {
	defer w.release()
	g := db.queue.push(w)
	if g == nil {
		return false, ErrClosed
	}
	<-g.done
	return w.existed, w.err
}

// fence stops writes until the committer ends it. The first cause is kept.
func (db *DB) fence(cause error) {
	if db.fenced.CompareAndSwap(nil, &cause) {
		db.opts.Logger.Error("writes are fenced until the storage works again", "error", cause)
	}
}

// fenceError is nil, or an error that is ErrFenced and the cause.
func (db *DB) fenceError() error {
	if cause := db.fenced.Load(); cause != nil {
		return fmt.Errorf("%w: %w", ErrFenced, *cause)
	}
	return nil
}

// Close waits for the writes in hand, makes what was acknowledged durable,
// closes the files and gives the lock back; a fenced store tries once more to go
// on if anything has gathered. Calls after it, and reads that it
// overtakes, return ErrClosed. Its error says that acknowledged writes of an
// interval policy were lost, or that the end of the log could not be noted.
// Further calls wait for the first and return the same.
func (db *DB) Close() error {
	db.closeOnce.Do(func() {
		db.closing.Store(true)
		db.stop()
	})
	<-db.committed
	if db.closeErr != nil {
		return fmt.Errorf("closing the store in %s: %w", db.storage.dir, db.closeErr)
	}
	return nil
}

// stop ends the committer and lets go of everything.
func (db *DB) stop() {
	db.queue.close()
	<-db.committed
	db.mu.Lock()
	db.closed = true
	db.index = newIndex()
	db.gathered = gathered{}
	db.mu.Unlock()
	for _, seg := range db.committer.segments {
		_ = seg.file.Close() // everything in it was synced, or its sync failed
	}
	if prepared := db.committer.prepared; prepared != nil {
		_ = prepared.file.Close() // nothing was written to it since its sync
	}
	db.lock.release()
}

// storeLock is the lock on a store's directory.
type storeLock struct {
	file   afero.File
	unlock func()
}

// lock takes the lock, or returns ErrLocked.
func (st *storage) lock() (*storeLock, error) {
	return st.lockOn(st.fs, os.O_RDWR|os.O_CREATE)
}

// lockOn is lock for an owner that opens the lock file with flag, and is known
// to the others by fsys.
func (st *storage) lockOn(fsys afero.Fs, flag int) (*storeLock, error) {
	name := st.path(lockFile)
	file, err := st.fs.OpenFile(name, flag, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the lock file: %w", err)
	}
	unlock, err := vfs.TryLock(fsys, file, name)
	if err == nil {
		return &storeLock{file, unlock}, nil
	}
	_ = file.Close() // nothing is ever written to it
	if errors.Is(err, vfs.ErrLocked) {
		return nil, ErrLocked
	}
	return nil, fmt.Errorf("locking %s: %w", name, err)
}

func (l *storeLock) release() {
	_ = l.file.Close() // nothing is ever written to it
	l.unlock()
}
