package faultfs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	iofs "io/fs"
	"os"
	"slices"

	"github.com/spf13/afero"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// toyBugs are the ways to break a toyStore.
type toyBugs struct {
	noSync        bool // nothing is synced
	noDirSync     bool // the name of a new segment is not synced
	noRollSync    bool // the name of a new segment is not synced if it was asked for
	retrySync     bool // a failed sync is tried again and believed
	noCut         bool // what follows a torn record is appended behind it
	ackEarly      bool // OK is said before the sync
	serveUnsynced bool // recovery does not sync what it found in the cache
	secondLoses   bool // a store that was recovered before loses its last record
	panics        bool // recovery panics when it finds a torn record
}

// toyStore is an append-only log in segments seg0, seg1 and so on. A record is
// its checksum, its length, its number, counted from 1, its identity and its
// payload. Recovery copies all records into a new segment: it cannot know
// whether the cache, where it found them, has seen a sync that failed.
type toyStore struct {
	bugs    toyBugs
	fs      *faultfs.FS
	segment int
	rolling bool
	file    afero.File
	end     int64  // of the last record, in the last segment
	ids     []int  // of the records
	log     []byte // all of them
}

const toyHeader = 4 + 4 + 8 + 8

// toySubject explores a toyStore. Its words append a small record, one of
// several sectors, one whose first sync fails; begin a segment; or write another
// file that nobody reads or syncs.
func toySubject(bugs toyBugs) faultfs.Subject {
	return faultfs.Subject{
		Name:    "toy",
		Words:   []string{"set", "big", "bad", "roll", "scratch"},
		Load:    func(r *faultfs.Run, plan []string) error { return loadToy(r, bugs, plan) },
		Recover: func(r *faultfs.Run) { recoverToy(r, bugs) },
		Judge:   judgeToy,
	}
}

func loadToy(r *faultfs.Run, bugs toyBugs, plan []string) error {
	s, err := openToy(r, bugs)
	if err != nil {
		return err
	}
	defer s.file.Close()
	defer r.PowerOff()
	for _, word := range plan {
		r.Step()
		if err := s.do(r, word); err != nil {
			return err
		}
	}
	return nil
}

func recoverToy(r *faultfs.Run, bugs toyBugs) {
	s, err := openToy(r, bugs)
	if err != nil {
		r.Note(toyFailed(err.Error()))
		return
	}
	defer s.file.Close()
	defer r.PowerOff()
	r.Note(toyFound(slices.Clone(s.ids)))
	if err := s.append(r, 1000, 20); err != nil {
		r.Note(toyFailed(err.Error()))
	}
}

type (
	toyIssued int    // this record is about to be written
	toyAcked  int    // OK
	toyFound  []int  // what recovery found
	toyFailed string // recovery or its write failed
)

// judgeToy wants every record that was acknowledged or found before, and none
// that was not issued.
func judgeToy(lives []faultfs.Life) error {
	issued, must := map[int]bool{}, map[int]bool{}
	for i, l := range lives {
		for _, e := range l.Events {
			switch e := e.(type) {
			case toyIssued:
				issued[int(e)] = true
			case toyAcked:
				must[int(e)] = true
			case toyFailed:
				return errors.New(string(e))
			case toyFound:
				for _, id := range e {
					if !issued[id] {
						return fmt.Errorf("record %d was never written", id)
					}
				}
				for id := range must {
					if i == len(lives)-1 && !slices.Contains(e, id) {
						return fmt.Errorf("record %d is lost", id)
					}
				}
				for _, id := range e {
					must[id] = true
				}
			}
		}
	}
	return nil
}

// openToy starts a store on whatever there is.
func openToy(r *faultfs.Run, bugs toyBugs) (*toyStore, error) {
	s := &toyStore{bugs: bugs, fs: faultfs.New(r.FS())}
	for n := 0; ; n++ {
		f, err := s.fs.OpenFile(fmt.Sprintf("/seg%d", n), os.O_RDWR, 0o666)
		if errors.Is(err, iofs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if s.file != nil {
			s.file.Close()
		}
		s.segment, s.file = n, f
		if err := s.load(); err != nil {
			return nil, err
		}
	}
	if s.file == nil {
		return s, s.create(0)
	}
	switch {
	case bugs.secondLoses:
		if err := s.forget(); err != nil {
			return nil, err
		}
	case bugs.serveUnsynced:
		return s, nil
	case bugs.noCut:
		return s, errors.Join(s.file.Sync(), vfs.SyncDir(s.fs, "/"))
	}
	if err := s.create(s.segment + 1); err != nil || len(s.log) == 0 {
		return s, err
	}
	return s, s.put(s.log)
}

// load reads the open segment and cuts what is torn.
func (s *toyStore) load() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	b := make([]byte, info.Size())
	if _, err := s.file.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	s.end = 0
	for n := s.parse(b); n > 0; n = s.parse(b[s.end:]) {
		s.end += int64(n)
	}
	switch {
	case s.end == info.Size():
		return nil
	case s.bugs.panics:
		panic(fmt.Sprintf("%d bytes too many", info.Size()-s.end))
	case s.bugs.noCut:
		s.end = info.Size()
		return nil
	}
	if err := s.file.Truncate(s.end); err != nil {
		return err
	}
	return s.file.Sync()
}

// parse takes the next record and returns its length, 0 if there is none. A copy
// of a record that is known already counts for nothing.
func (s *toyStore) parse(b []byte) int {
	if len(b) < toyHeader {
		return 0
	}
	n := int(binary.LittleEndian.Uint32(b[4:]))
	if n < toyHeader || n > len(b) || binary.LittleEndian.Uint32(b) != crc32.ChecksumIEEE(b[4:n]) {
		return 0
	}
	num, id := int(binary.LittleEndian.Uint64(b[8:])), int(binary.LittleEndian.Uint64(b[16:]))
	switch {
	case num == len(s.ids)+1:
		s.ids, s.log = append(s.ids, id), append(s.log, b[:n]...)
	case num > len(s.ids) || s.ids[num-1] != id:
		return 0
	}
	return n
}

func (s *toyStore) create(n int) error {
	f, err := s.fs.Create(fmt.Sprintf("/seg%d", n))
	if err != nil {
		return err
	}
	if s.file != nil {
		s.file.Close()
	}
	s.segment, s.file, s.end = n, f, 0
	if s.bugs.noDirSync || s.bugs.noRollSync && s.rolling {
		return nil
	}
	return vfs.SyncDir(s.fs, "/")
}

func (s *toyStore) do(r *faultfs.Run, word string) error {
	switch word {
	case "roll":
		s.rolling = true
		defer func() { s.rolling = false }()
		return s.create(s.segment + 1)
	case "scratch":
		return afero.WriteFile(s.fs, "/scratch", bytes.Repeat([]byte("scratch"), 900), 0o666)
	case "big":
		return s.append(r, 0, 1200)
	case "bad":
		s.fs.Inject(faultfs.MustParse("sync seg* #1 EIO")[0])
	}
	return s.append(r, 0, 20)
}

// append adds a record of so many bytes whose identity is its number and base.
func (s *toyStore) append(r *faultfs.Run, base, length int) error {
	id := base + len(s.ids) + 1
	b := make([]byte, toyHeader+length)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	binary.LittleEndian.PutUint64(b[8:], uint64(len(s.ids)+1))
	binary.LittleEndian.PutUint64(b[16:], uint64(id))
	for i := range b[toyHeader:] {
		b[toyHeader+i] = byte(id + i)
	}
	binary.LittleEndian.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	r.Note(toyIssued(id))
	if s.bugs.ackEarly {
		r.Note(toyAcked(id))
	}
	err := s.put(b)
	if err != nil {
		// The record may be on the disk or not: it is written again elsewhere.
		if err = s.create(s.segment + 1); err == nil {
			err = s.put(b)
		}
	}
	if err != nil {
		return err
	}
	s.ids, s.log = append(s.ids, id), append(s.log, b...)
	r.Note(toyAcked(id))
	return nil
}

// put appends b to the segment and makes it durable.
func (s *toyStore) put(b []byte) error {
	if _, err := s.file.WriteAt(b, s.end); err != nil {
		return err
	}
	if !s.bugs.noSync {
		err := s.file.Sync()
		if err != nil && s.bugs.retrySync {
			err = s.file.Sync()
		}
		if err != nil {
			return err
		}
	}
	s.end += int64(len(b))
	return nil
}

// forget leaves a mark, and drops the last record if there is one already.
func (s *toyStore) forget() error {
	f, err := s.fs.OpenFile("/mark", os.O_CREATE|os.O_EXCL, 0o666)
	if err == nil {
		f.Close()
		return vfs.SyncDir(s.fs, "/")
	}
	if last := len(s.ids) - 1; last >= 0 {
		s.ids = s.ids[:last]
		s.log = nil
	}
	return nil
}
