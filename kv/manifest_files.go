package kv

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/spf13/afero"
)

// The file STORE says that a store was completed here. It is written after the
// first manifest is durable and before the first segment is begun, so it can be
// found by name even where listing the directory shows nothing:
//
//	offset  size
//	     0     8  magic "HFSTORE\n"
//	     8     4  format version, 1
//	    12    16  store id
//	    28     4  CRC-32C of bytes 0 to 28
//
// This layout never changes: it is the file that a program of another version
// reads first, to learn whether it knows the rest.
const (
	storeFile      = "STORE"
	storeMagic     = "HFSTORE\n"
	storeFileBytes = 32

	lockFile = "LOCK"
)

func encodeStoreFile(id storeID) []byte {
	b := append([]byte(storeMagic), 0, 0, 0, 0)
	le.PutUint32(b[8:], FormatVersion)
	b = append(b, id[:]...)
	return le.AppendUint32(b, checksum(b))
}

// errNotAStoreFile is returned for bytes that are no whole STORE file.
var errNotAStoreFile = errors.New("no intact store file")

func parseStoreFile(b []byte) (id storeID, err error) {
	if len(b) != storeFileBytes || string(b[:8]) != storeMagic ||
		le.Uint32(b[28:]) != checksum(b[:28]) {
		return id, errNotAStoreFile
	}
	if v := le.Uint32(b[8:]); v > FormatVersion {
		return id, fmt.Errorf("%w: store version %d, this program knows %d", ErrFormatTooNew, v, FormatVersion)
	}
	copy(id[:], b[12:28])
	return id, nil
}

// errNeverOpened is why a store that was created, and never opened without an
// error, is created again.
var errNeverOpened = errors.New("the store was never opened")

// inventory is what the directory held when the store was opened.
type inventory struct {
	manifests []uint64 // generations, newest first
	segments  []uint64 // numbers, in order
}

func (st *storage) takeInventory() (inventory, error) {
	var inv inventory
	names, err := st.list()
	if err != nil {
		return inv, err
	}
	for _, name := range names {
		if g, ok := manifestGeneration(name); ok {
			inv.manifests = append(inv.manifests, g)
		}
		if n, ok := segmentNumber(name); ok {
			inv.segments = append(inv.segments, n)
		}
	}
	slices.Sort(inv.segments)
	slices.Sort(inv.manifests)
	slices.Reverse(inv.manifests)
	return inv, nil
}

// identify reads STORE. It returns false when no store was completed here, and
// damage when there is evidence that one was.
func (st *storage) identify(inv inventory) (completed bool, err error) {
	b, err := st.read(storeFile)
	if err == nil {
		st.id, err = parseStoreFile(b)
	}
	if err == nil && slices.Equal(inv.manifests, []uint64{1}) {
		// Every Open that succeeds writes another manifest, so none has yet.
		err = errNeverOpened
	}
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, errNeverOpened):
		return st.noEvidence(inv, err) != nil, nil
	case errors.Is(err, os.ErrNotExist), errors.Is(err, errNotAStoreFile):
		return false, st.noEvidence(inv, err)
	}
	return false, fmt.Errorf("reading %s: %w", storeFile, err)
}

// noEvidence refuses to take a directory for a new one when anything in it can
// only be there because a store was completed: an empty store is never created
// over what is left of a full one.
func (st *storage) noEvidence(inv inventory, cause error) error {
	const first = 1
	found := ""
	switch {
	case len(inv.segments) > 0:
		found = segmentName(inv.segments[0])
	case len(inv.manifests) > 0 && inv.manifests[0] > first:
		found = manifestName(inv.manifests[0])
	default:
		// Ask by name too: a listing can come up short.
		if _, err := st.fs.Stat(st.path(segmentName(first))); err == nil {
			found = segmentName(first)
		} else if !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("looking for %s: %w", segmentName(first), err)
		}
	}
	if found == "" {
		return nil
	}
	return &DamageError{File: storeFile, Reason: fmt.Sprintf("%v, and %s shows that there was a store here", cause, found)}
}

// create makes an empty store, in an order in which a crash at any point
// leaves either no evidence of a store or a whole one. What an earlier attempt
// left is removed first, and not written over: the names may stand in the
// kernel's cache and, after a failed sync of the directory, nowhere else.
func (st *storage) create() error {
	if err := st.syncPath(); err != nil {
		return err
	}
	id, err := st.newID()
	if err != nil {
		return err
	}
	st.id = id
	m := manifest{generation: 1, store: st.id, nextSegment: 1}
	for _, name := range []string{storeFile, manifestName(m.generation)} {
		if err := st.discard(name); err != nil {
			return err
		}
	}
	if err := st.writeManifest(&m); err != nil {
		return err
	}
	return st.writeFile(storeFile, encodeStoreFile(st.id))
}

// discard removes a file durably, if it is there.
func (st *storage) discard(name string) error {
	err := st.fs.Remove(st.path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("removing %s, which an interrupted creation left: %w", name, err)
	}
	return st.syncDir()
}

// writeManifest makes m durable under a new name. Older manifests stay; they
// are removed with removeManifests.
func (st *storage) writeManifest(m *manifest) error {
	return st.writeFile(manifestName(m.generation), m.encode())
}

// writeFile makes a small new file durable, with its name.
func (st *storage) writeFile(name string, content []byte) error {
	file, err := st.fs.OpenFile(st.path(name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("creating %s: %w", name, err)
	}
	err = writeAt(file, content, 0)
	if err != nil {
		// It is not whole and never will be, so nothing can depend on it. After
		// a failed sync it has to stay: it may be on disk.
		_ = file.Close()
		_ = st.fs.Remove(st.path(name))
		return fmt.Errorf("writing %s: %w: %w", name, errIO, err)
	}
	err = st.syncNew(file, name)
	if closeErr := file.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("closing %s: %w: %w", name, errIO, closeErr)
	}
	return err
}

// removeManifests removes manifests that a newer one, synced by this process,
// has replaced. A manifest that was only read may sit in the kernel's cache
// and nowhere else, left there by a sync that failed in an earlier process: as
// long as nothing newer was synced here, the older ones must stay. Failing to
// remove one costs space and nothing else.
func (st *storage) removeManifests(generations []uint64) {
	for _, g := range generations {
		// Of an attempt that failed there may be no file.
		if err := st.fs.Remove(st.path(manifestName(g))); err != nil && !errors.Is(err, os.ErrNotExist) {
			st.log.Warn("an old manifest could not be removed", "file", manifestName(g), "error", err)
		}
	}
}

// loadManifest returns the newest whole manifest of this store. A newer file
// that is not one was being written when the last process ended, and may hold
// anything that stood in recycled space, even an older manifest or another
// store's; recovery checks that nothing was acknowledged under it.
func (st *storage) loadManifest(inv inventory, report *RecoveryReport) (manifest, error) {
	var foreign *manifest
	for _, g := range inv.manifests {
		name := manifestName(g)
		b, err := st.read(name)
		if err != nil {
			return manifest{}, err
		}
		m, healed, err := parseManifest(b)
		if errors.Is(err, errNotAManifest) {
			report.note("%s is not whole: it was being written when the store was last used, or is damaged", name)
			continue
		}
		if err != nil {
			return m, fmt.Errorf("reading %s: %w", name, err)
		}
		if m.store != st.id || m.generation != g {
			report.note("%s holds generation %d of store %x: the name may have become durable before the content, or somebody put it there", name, m.generation, m.store)
			if foreign == nil && m.generation == g {
				foreign = &m
			}
			continue
		}
		if healed {
			report.note("one of the two copies in %s is damaged; the other was used", name)
		}
		return m, nil
	}
	if foreign != nil && st.hasSegmentOf(foreign) {
		return manifest{}, &DamageError{File: storeFile, Reason: fmt.Sprintf("it says store %x, and %s and its segments belong to store %x",
			st.id, manifestName(foreign.generation), foreign.store)}
	}
	return manifest{}, &DamageError{File: manifestPrefix + "*", Reason: "no manifest is whole, and " + storeFile + " shows that there was a store here"}
}

// hasSegmentOf reports whether the first segment that m lists belongs to the
// same store as m: then it is STORE that is out of place, and not m.
func (st *storage) hasSegmentOf(m *manifest) (has bool) {
	if len(m.entries) == 0 {
		return false
	}
	name := segmentName(m.entries[0].number)
	// Whatever the error, the store is refused.
	_ = st.withSegmentFile(name, func(file afero.File, _ int64) error {
		h, err := readSegmentHeader(file, name)
		has = err == nil && h.store == m.store
		return nil
	})
	return has
}

// misplaced refuses a store in which a manifest newer than m is really a log
// segment of this store that m does not know, with a record in it. Such a
// segment was listed by a manifest that was durable before the record was, and
// that manifest is gone. A crash cannot leave this: of what may have stood in
// the space before, no segment that was never listed had a record.
func (st *storage) misplaced(inv inventory, m *manifest) error {
	for _, g := range inv.manifests {
		if g <= m.generation {
			return nil
		}
		name := manifestName(g)
		err := st.withSegmentFile(name, func(file afero.File, size int64) error { return st.misplacedSegment(file, size, name, m) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (st *storage) misplacedSegment(file afero.File, size int64, name string, m *manifest) error {
	h, err := readSegmentHeader(file, name)
	switch {
	case errors.Is(err, ErrDamaged):
		return nil // no segment
	case err != nil:
		return err
	case h.store != st.id, h.kind != segmentLog, h.number < m.nextSegment:
		return nil
	}
	rp, err := replayUnlisted(h, file, size)
	if err != nil || rp.records == 0 {
		return err
	}
	return &DamageError{
		File: name, FirstSeq: h.firstSeq, LastSeq: rp.end.lastSeq,
		Reason: fmt.Sprintf("it holds the records of segment %d, and no manifest lists that: the manifest that did is lost", h.number),
	}
}
