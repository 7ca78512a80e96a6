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

// twoSlots writes by turns into two halves of one file, each with a checksum and
// a number that grows. A torn one is not counted, and the other is from before.
// The file gets its size and its name before its first use, and what is found is
// synced before it is shown. No whole slot at all means that there never was a
// change. It is right.
type twoSlots struct {
	contents
	f      afero.File
	number uint64 // of the last change
	stride int64  // from one slot to the other
}

func openTwoSlots(fsys afero.Fs) (Store, error) { return openSlots(fsys, slotBytes, true) }

// oneSlot believes that a checksum is enough. It tells that the slot is torn, and
// there is no other.
func oneSlot(fsys afero.Fs) (Store, error) { return openSlots(fsys, 0, true) }

// slotsUnsynced does not sync what it finds when it opens, because it was synced
// by whoever wrote it. The one who wrote it may have been killed before that.
func slotsUnsynced(fsys afero.Fs) (Store, error) { return openSlots(fsys, slotBytes, false) }

func openSlots(fsys afero.Fs, stride int64, syncFirst bool) (Store, error) {
	f, err := fsys.OpenFile("/slots", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	s := &twoSlots{contents: contents{}, f: f, stride: stride}
	if syncFirst {
		err = errors.Join(f.Truncate(2*slotBytes), f.Sync(), syncDir(fsys, "/"))
	} else if info, statErr := f.Stat(); statErr == nil && info.Size() == 0 {
		err = errors.Join(f.Truncate(2*slotBytes), f.Sync(), syncDir(fsys, "/"))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	for at := int64(0); at <= stride; at += slotBytes {
		if err := s.load(at); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return s, nil
}

// A slot is a checksum (4 bytes) of what follows: the length of the content (4),
// the number (8), the content.
const slotHeader = 16

// load takes the slot at that offset if it is whole, and newer.
func (s *twoSlots) load(at int64) error {
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
		s.contents, s.number = all, number
	}
	return nil
}

func (s *twoSlots) Write(c Change) error {
	next := s.with(c)
	body, err := json.Marshal(next)
	if err != nil {
		return err
	}
	s.number++
	b := le.AppendUint32(make([]byte, 4), uint32(len(body)))
	b = append(le.AppendUint64(b, s.number), body...)
	le.PutUint32(b, crc32.ChecksumIEEE(b[4:]))
	if _, err := s.f.WriteAt(b, int64(s.number%2)*s.stride); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return err
	}
	s.contents = next
	return nil
}

func (s *twoSlots) Close() error { return s.f.Close() }
