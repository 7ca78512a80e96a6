package kv

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/afero"
)

// Recovery, step by step. Nothing is changed before step 6, nothing is removed
// before step 7, and running it again after a crash at any point gives the same
// store.
//
//  1. Find out whether there is a store: STORE, else create one, unless
//     anything shows that there was one.
//  2. Load the newest whole manifest.
//  3. Replay the segments it lists into the index. Anything wrong in a sealed
//     segment is damage.
//  4. Judge the tail of the active segment: clean, torn or damaged
//     (damage.go).
//  5. Hold the segments that the manifest does not list against it: a log
//     segment with records, under whatever name, means that a newer manifest
//     was lost.
//  6. Make durable what was read. The records behind the last point known
//     durable may have come from the kernel's cache, after a sync that failed
//     in an earlier process and marked their pages clean; syncing the file
//     again would say OK and write nothing. So they are written again, to a
//     copy segment, and the old one is sealed where it was known durable.
//     A manifest with all this follows under a new name.
//  7. Give back what nothing needs any more (reclaim.go): older manifests,
//     segments without records, copies that no manifest lists, segments that
//     others have replaced, and reserved space of sealed ones.
type recovery struct {
	st     *storage
	opts   *Options
	report RecoveryReport

	inv       inventory
	manifest  manifest
	segments  []*segment // in the order of the manifest
	index     index
	tail      placement      // where the next record goes in the active segment
	active    *segment       // nil: the next write begins a new segment
	unsettled *unsettledTail // nil: the active segment can be gone on with

	garbage []string // names to remove in step 7
	trims   []trim   // files to shorten in step 7

	loadedNext uint64 // the manifest's next segment number as it was loaded
	buf        []byte // what sealed segments are read into, one after the other
}

// unsettledTail is the end of an active segment that is not both whole and
// known to be durable.
type unsettledTail struct {
	replay     *replay
	durable    position // known durable up to here; records follow up to replay.end
	contentEnd int64    // offset of the sector behind the last byte that is not zero
}

func (r *recovery) run() error {
	began := time.Now()
	steps := []func() error{r.find, r.load, r.replayAll, r.findOrphans, r.settle}
	for _, step := range steps {
		if err := step(); err != nil {
			r.closeFiles()
			return err
		}
	}
	r.collectGarbage()
	r.report.Duration = time.Since(began)
	return nil
}

func (r *recovery) closeFiles() {
	for _, seg := range r.segments {
		_ = seg.file.Close() // only read from, or already failed
	}
}

// find is step 1.
func (r *recovery) find() (err error) {
	if r.inv, err = r.st.takeInventory(); err != nil {
		return err
	}
	completed, err := r.st.identify(r.inv)
	if err != nil {
		return err
	}
	if !completed {
		r.report.Created = true
		if err := r.st.create(); err != nil {
			return fmt.Errorf("creating a store in %s: %w", r.st.dir, err)
		}
		r.inv.manifests = []uint64{1}
	}
	return nil
}

// load is step 2.
func (r *recovery) load() (err error) {
	r.manifest, err = r.st.loadManifest(r.inv, &r.report)
	if err != nil {
		return err
	}
	r.loadedNext = r.manifest.nextSegment
	next := uint64(1)
	for i := range r.manifest.entries {
		e := &r.manifest.entries[i]
		last := i == len(r.manifest.entries)-1
		if e.firstSeq != next || e.lastSeq+1 < e.firstSeq || !e.sealed && !last {
			return &DamageError{
				File:   manifestName(r.manifest.generation),
				Reason: fmt.Sprintf("its entry for %s contradicts the one before", segmentName(e.number)),
			}
		}
		next = e.lastSeq + 1
	}
	return nil
}

// replayAll is steps 3 and 4.
func (r *recovery) replayAll() error {
	// The entry of the active segment is replaced while we go.
	for _, e := range slices.Clone(r.manifest.entries) {
		seg, err := r.st.openSegment(e)
		if err != nil {
			return err
		}
		r.segments = append(r.segments, seg)
		if e.sealed {
			err = r.replaySealed(seg, &e)
		} else {
			err = r.replayActive(seg, &e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *recovery) replaySealed(seg *segment, e *manifestEntry) error {
	rp := newReplay(seg, e.length, e.length, r.applyFrom(seg))
	rp.window.buf = r.buf
	err := rp.run()
	r.buf = rp.window.buf[:0]
	if err != nil {
		return err
	}
	r.report.Records += rp.records
	if err := rp.checkSealed(e); err != nil {
		return err
	}
	r.planTrim(rp, e)
	return nil
}

func (r *recovery) replayActive(seg *segment, e *manifestEntry) error {
	rp := newReplay(seg, e.length, e.capacity, r.applyFrom(seg))
	if err := rp.run(); err != nil {
		return err
	}
	rem, err := seg.examine(rp.window, rp.end.offset, rp.end.offset)
	if err != nil {
		return err
	}
	if rem.witness != nil || rp.end.offset < rp.durable {
		return rp.damageAt(&rem)
	}
	durable, err := rp.durablePosition()
	if err != nil {
		return err
	}
	if e.length == durable.offset && e.position() != durable {
		return &DamageError{
			File: seg.name, Offset: e.length, FirstSeq: e.firstSeq, LastSeq: e.lastSeq,
			Reason: "the records up to here are not those that the manifest knew",
		}
	}
	r.report.Records += rp.records
	if cut := rem.end - rp.end.offset; cut > 0 {
		r.report.CutBytes, r.report.CutFile, r.report.CutOffset = cut, seg.name, rp.end.offset
	}
	if durable == rp.end && r.report.CutBytes == 0 {
		r.active, r.tail = seg, rp.next
		return nil
	}
	r.unsettled = &unsettledTail{replay: rp, durable: durable, contentEnd: rem.sectorEnd()}
	return nil
}

// applyFrom returns the function that puts the records of seg into the index.
func (r *recovery) applyFrom(seg *segment) applyFunc {
	return func(h *recordHeader, key []byte, offset int64) {
		if h.kind == kindDelete {
			r.index.delete(string(key))
			return
		}
		r.index.set(string(key), newLocation(seg, h, offset))
	}
}

// findOrphans is step 5.
func (r *recovery) findOrphans() error {
	if err := r.st.misplaced(r.inv, &r.manifest); err != nil {
		return err
	}
	// The segment that a lost manifest would have listed first is looked for
	// by name as well: a listing can come up short.
	candidates := append(slices.Clone(r.inv.segments), r.loadedNext)
	slices.Sort(candidates)
	for _, number := range slices.Compact(candidates) {
		if slices.ContainsFunc(r.segments, func(s *segment) bool { return s.header.number == number }) {
			continue
		}
		if err := r.judgeOrphan(number); err != nil {
			return err
		}
	}
	r.reserveNumbers()
	return nil
}

func (r *recovery) judgeOrphan(number uint64) error {
	name := segmentName(number)
	err := r.st.withSegmentFile(name, func(file afero.File, size int64) error {
		return r.judgeOrphanFile(file, size, name, number)
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (r *recovery) judgeOrphanFile(file afero.File, size int64, name string, number uint64) error {
	h, err := readSegmentHeader(file, name)
	switch {
	case errors.Is(err, ErrDamaged):
		// Its creation was not finished, so it holds no record.
		r.garbage = append(r.garbage, name)
		return nil
	case err != nil:
		return err
	case h.store != r.st.id:
		// Its name may have become durable before its content, over what a
		// deleted store left in recycled space. No manifest lists it, so
		// nothing of this store is missing.
		r.report.note("%s belongs to store %x and not to this one; it was left alone", name, h.store)
		return nil
	case h.number != number:
		r.report.note("%s is a copy of segment %d under another name; it was left alone", name, h.number)
		return nil
	}
	rp, err := replayUnlisted(h, file, size)
	if err != nil {
		return err
	}
	if h.kind == segmentCopy || rp.records == 0 {
		r.garbage = append(r.garbage, name)
		return nil
	}
	switch {
	case number >= r.loadedNext:
		return r.unlisted(name, h.firstSeq, rp.end.lastSeq)
	case rp.end.lastSeq <= r.manifest.lastSeq():
		// A manifest listed others in its place, and all that it holds is in
		// them. The process that wrote that manifest ended before the removal
		// was durable.
		r.garbage = append(r.garbage, name)
	default:
		r.report.note("%s was replaced by other segments long ago; it was left alone", name)
	}
	return nil
}

// unlisted says that the manifest that listed a segment is lost. It names that
// manifest if there is one left that is not whole.
func (r *recovery) unlisted(name string, firstSeq, lastSeq uint64) error {
	e := &DamageError{
		File: name, FirstSeq: firstSeq, LastSeq: lastSeq,
		Reason: "it holds records, and no manifest lists it: the manifest that did is lost",
	}
	if newest := r.inv.manifests[0]; newest > r.manifest.generation {
		e.File = manifestName(newest)
		e.Reason = fmt.Sprintf("it is not whole, and %s holds records and no whole manifest lists it", name)
	}
	return e
}

// settle is step 6.
func (r *recovery) settle() error {
	if r.unsettled != nil {
		if err := r.sealTail(r.unsettled); err != nil {
			return err
		}
	}
	r.manifest.generation = r.inv.manifests[0] + 1
	if r.active != nil {
		r.manifest.active().setDurable(r.tail.position())
	} else {
		r.tail.seq = r.manifest.lastSeq() + 1
	}
	if err := r.st.writeManifest(&r.manifest); err != nil {
		return err
	}
	r.report.Segments = len(r.manifest.entries)
	r.report.Keys = r.index.len()
	return nil
}

// sealTail seals the active segment where it is known to be durable and writes
// the records behind that, which may only be in the kernel's cache, to a copy
// segment.
func (r *recovery) sealTail(t *unsettledTail) error {
	entries := r.manifest.entries[:len(r.manifest.entries)-1]
	old, seg := r.manifest.entries[len(entries)], t.replay.seg
	if t.durable.offset > segmentHeaderBytes {
		old.seal(t.durable)
		entries = append(entries, old)
		r.trims = append(r.trims, trim{seg, t.contentEnd})
	} else {
		// No record of it counts; it leaves with the garbage.
		r.garbage = append(r.garbage, seg.name)
	}
	r.manifest.entries = entries
	if t.replay.end == t.durable {
		return nil
	}
	body := make([]byte, t.replay.end.offset-t.durable.offset)
	if _, err := readAt(seg.file, body, t.durable.offset); err != nil {
		return fmt.Errorf("reading %s at offset %d: %w", seg.name, t.durable.offset, err)
	}
	return r.writeCopy(body, t.durable.lastSeq+1)
}

// writeCopy makes a copy segment of the records in body and lists it.
func (r *recovery) writeCopy(body []byte, firstSeq uint64) error {
	id, err := r.st.newSegmentID()
	if err != nil {
		return err
	}
	h := segmentHeader{
		kind: segmentCopy, store: r.st.id, number: r.manifest.nextSegment, id: id,
		firstSeq: firstSeq, capacity: segmentHeaderBytes + int64(len(body)),
	}
	r.manifest.nextSegment++
	place := newSegment(h, nil).start()
	for at := int64(0); at < int64(len(body)); {
		at += place.place(body[at:])
	}
	seg, err := r.st.createSegment(h, body)
	if err != nil {
		return fmt.Errorf("writing the last records again: %w", err)
	}
	r.segments = append(r.segments, seg)
	e := newEntry(&h)
	e.seal(place.position())
	r.manifest.entries = append(r.manifest.entries, e)
	// Reading it back verifies it, and points the index at it.
	records := r.report.Records
	err = r.replaySealed(seg, &e)
	r.report.Rewritten, r.report.Records = r.report.Records-records, records
	return err
}

// reserveNumbers moves the next segment number beyond every file there is.
func (r *recovery) reserveNumbers() {
	if n := len(r.inv.segments); n > 0 {
		r.manifest.nextSegment = max(r.manifest.nextSegment, r.inv.segments[n-1]+1)
	}
}
