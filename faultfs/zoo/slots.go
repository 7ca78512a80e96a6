package zoo

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/spf13/afero"
)

// slotBytes is the size of a slot: a page, and more than all that the plans write.
const slotBytes = 4096

// slots is a file of one or two slots, which are written by turns. Each has a
// checksum, and a number that grows. The newest that is whole counts; if none is,
// there never was a change. The file gets its size and its name before its first
// use, and what is found is synced before it is shown.
type slots struct {
	contents
	f      afero.File
	number uint64 // of the last change
	next   int64  // offset of the slot that is written next
	stride int64  // from one slot to the other; 0: there is only one
}

// twoSlots wipes what is not whole before it writes there again. It is right.
func twoSlots(fsys afero.Fs) (Store, error) {
	s, err := openSlots(fsys, slotBytes, true)
	if err != nil {
		return nil, err
	}
	_, err = s.f.WriteAt(make([]byte, slotBytes), s.next)
	if err := errors.Join(err, s.f.Sync()); err != nil {
		return nil, errors.Join(err, s.f.Close())
	}
	return s, nil
}

// twoSlotsUnwiped leaves a torn slot until it is its turn. The sectors that it
// lacks are then perhaps the first to be written; if they happen to be the same,
// because most of the content is, the torn change is whole after the next crash.
func twoSlotsUnwiped(fsys afero.Fs) (Store, error) { return openSlots(fsys, slotBytes, true) }

// slotsUnsynced does not sync what it finds when it opens, because it was synced
// by whoever wrote it. The one who wrote it may have been killed before that.
func slotsUnsynced(fsys afero.Fs) (Store, error) { return openSlots(fsys, slotBytes, false) }

// oneSlot believes that a checksum is enough. It tells that the slot is torn, and
// there is no other.
func oneSlot(fsys afero.Fs) (Store, error) { return openSlots(fsys, 0, true) }

func openSlots(fsys afero.Fs, stride int64, syncFirst bool) (*slots, error) {
	f, err := fsys.OpenFile("/slots", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = errors.Join(f.Truncate(2*slotBytes), syncDir(fsys, "/"))
	if syncFirst {
		err = errors.Join(err, f.Sync())
	}
	s := &slots{contents: contents{}, f: f, stride: stride}
	for at := int64(0); at <= stride; at += slotBytes {
		err = errors.Join(err, s.load(at))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// A slot is a checksum (4 bytes) of what follows: the length of the content (4),
// the number (8), the content.
const slotHeader = 16

// load takes the slot at that offset if it is whole, and newer.
func (s *slots) load(at int64) error {
	b := make([]byte, slotBytes)
	if _, err := s.f.ReadAt(b, at); err != nil && err != io.EOF {
		return fmt.Errorf("reading the slot at %d: %w", at, err)
	}
	length, number := int64(le.Uint32(b[4:])), le.Uint64(b[8:])
	if length > slotBytes-slotHeader || crc32.ChecksumIEEE(b[4:slotHeader+length]) != le.Uint32(b) {
		return nil
	}
	all := contents{}
	if number > s.number && json.Unmarshal(b[slotHeader:slotHeader+length], &all) == nil {
		s.contents, s.number, s.next = all, number, s.stride-at
	}
	return nil
}

func (s *slots) Write(c Change) error {
	next := s.with(c)
	body, err := json.Marshal(next)
	if err != nil {
		return err
	}
	s.number++
	b := le.AppendUint32(make([]byte, 4), uint32(len(body)))
	b = append(le.AppendUint64(b, s.number), body...)
	le.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	if _, err := s.f.WriteAt(b, s.next); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.contents, s.next = next, s.stride-s.next
	return nil
}

func (s *slots) Close() error { return s.f.Close() }
