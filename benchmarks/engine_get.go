package benchmarks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/afero"

	"holdfast/kv"
)

// readSide says in the report what the two sides of the reads do, exactly.
func (c EngineConfig) readSide() string {
	return fmt.Sprintf("one caller; both sides draw one of %d keys at random and format it; "+
		"readAt reads %d bytes (one value) at a multiple of %d from one file into one buffer; "+
		"kv.Get looks the key up, reads and verifies its record and returns the %d bytes of the value in memory of its own; "+
		"both files were written just before and lie in the operating system's cache",
		c.GetKeys, c.ValueBytes, c.ValueBytes, c.ValueBytes)
}

// compareGets runs the rounds of the reads.
func (e *engineBench) compareGets() (result GetResult, err error) {
	file, err := newValueFile(e.fsys, filepath.Join(e.dir, "values"), e.value, e.GetKeys)
	if err != nil {
		return GetResult{}, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	db, err := newStore(e.fsys, filepath.Join(e.dir, "get"), e.keys(e.GetKeys), e.value)
	if err != nil {
		return GetResult{}, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()

	l := load{goroutines: 1, window: e.Window}
	var bare, engine []sample
	side := func(samples *[]sample, op func(seed uint64) operation) func(int) error {
		return func(round int) error {
			return keep(samples, func() (sample, error) {
				return l.run(e.ctx, func(int) operation { return op(e.Seed + uint64(round)) })
			})
		}
	}
	err = alternate(e.ctx, e.Rounds,
		side(&bare, func(seed uint64) operation { return readAtOperation(file, e.keys(e.GetKeys), e.ValueBytes, seed) }),
		side(&engine, func(seed uint64) operation { return getOperation(db, e.keys(e.GetKeys), e.ValueBytes, seed) }))
	if err != nil {
		return GetResult{}, err
	}
	return newGetResult(e.EngineConfig, bare, engine), nil
}

// readAtOperation reads one value, whose place follows from its key's number.
func readAtOperation(file afero.File, keys keyspace, size int, seed uint64) operation {
	p, buf := keys.picker(seed, 0), make([]byte, size)
	return func(context.Context) error {
		i, _ := p.next()
		n, err := file.ReadAt(buf, int64(i)*int64(size))
		if n != size {
			return fmt.Errorf("reading a value at %d: %d of %d bytes: %w", int64(i)*int64(size), n, size, err)
		}
		return nil
	}
}

// getOperation reads one value through the engine.
func getOperation(db *kv.DB, keys keyspace, size int, seed uint64) operation {
	p := keys.picker(seed, 0)
	return func(context.Context) error {
		_, key := p.next()
		value, err := db.Get(key)
		if err == nil && len(value) != size {
			err = fmt.Errorf("the value of %s has %d bytes, want %d", key, len(value), size)
		}
		return err
	}
}

// newValueFile writes the value n times, one behind the other, and syncs it.
func newValueFile(fsys afero.Fs, name string, value []byte, n int) (afero.File, error) {
	f, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("creating the file for ReadAt: %w", err)
	}
	const chunk = 1024 // values a write
	for at := 0; at < n && err == nil; at += chunk {
		_, err = f.Write(bytes.Repeat(value, min(chunk, n-at)))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("filling the file for ReadAt: %w", err), f.Close())
	}
	return f, nil
}

// newStore fills a store with every key of the space and opens it again, so
// that what is read was found in files, as after any start. The load is written
// with a long interval and one sync at its end: how it got there is not what is
// measured.
func newStore(fsys afero.Fs, dir string, keys keyspace, value []byte) (*kv.DB, error) {
	db, err := kv.Open(fsys, dir, &kv.Options{Sync: kv.SyncEvery(time.Minute)})
	if err != nil {
		return nil, err
	}
	key := keys.template()
	for i := uint32(0); i < keys.n && err == nil; i++ {
		keys.put(key, i)
		err = db.Set(key, value)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, fmt.Errorf("filling a store: %w", err)
	}
	db, err = kv.Open(fsys, dir, nil)
	if err != nil {
		return nil, err
	}
	if found := db.Stats().Keys; found != int(keys.n) {
		return nil, errors.Join(fmt.Errorf("a store with %d keys opened with %d", keys.n, found), db.Close())
	}
	return db, nil
}
