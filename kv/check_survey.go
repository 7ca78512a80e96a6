package kv

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"

	"github.com/spf13/afero"
)

// survey reads every manifest and every segment.
func (c *checker) survey() error {
	for _, g := range c.inv.manifests {
		c.surveyManifest(g)
	}
	if c.manifest != nil {
		for i := range c.manifest.entries {
			c.surveyListed(&c.manifest.entries[i])
		}
		c.surveyOrphans()
		return nil
	}
	c.surveyUnlisted()
	return nil
}

func (c *checker) surveyManifest(generation uint64) {
	report := ManifestReport{File: manifestName(generation), Generation: generation}
	b, err := c.st.read(report.File)
	var m manifest
	var healed bool
	if !c.failed(err) {
		m, healed, err = parseManifest(b)
	}
	switch {
	case err != nil:
		report.State = err.Error()
	case c.st.id != (storeID{}) && m.store != c.st.id:
		report.State = fmt.Sprintf("belongs to store %x", m.store)
	case m.generation != generation:
		report.State = fmt.Sprintf("holds generation %d", m.generation)
	case c.manifest != nil:
		report.State = "whole, and replaced by a newer one"
	default:
		report.State, report.Counts = "whole", true
		c.manifest, c.st.id = &m, m.store
	}
	if healed {
		report.State += "; one of its two copies is damaged"
	}
	c.report.Manifests = append(c.report.Manifests, report)
}

// The states of a segment in a report.
const (
	stateActive   = "active"
	stateSealed   = "sealed"
	stateUnlisted = "not listed"
	stateMissing  = "missing"
)

// target is a segment as it should be.
type target struct {
	header segmentHeader
	state  string
	length int64  // known durable up to here
	sealed bool   // and nothing counts behind it
	stop   uint64 // no record from this sequence number on counts
	chain  uint32 // of the last record within length
}

func (c *checker) surveyListed(e *manifestEntry) {
	t := target{
		header: segmentHeader{
			kind: e.kind, store: c.st.id, number: e.number, id: e.id,
			firstSeq: e.firstSeq, capacity: e.capacity,
		},
		state: stateActive, length: e.length, sealed: e.sealed, stop: math.MaxUint64, chain: e.chain,
	}
	if e.sealed {
		t.state, t.stop = stateSealed, e.lastSeq+1
	}
	c.surveySegment(&t, e)
}

// surveySegment reads one segment. e is nil when no manifest lists it.
func (c *checker) surveySegment(t *target, e *manifestEntry) {
	name := segmentName(t.header.number)
	report := SegmentReport{
		File: name, Kind: kindName(t.header.kind), State: t.state,
		FirstSeq: t.header.firstSeq, LastSeq: t.header.firstSeq - 1,
	}
	before := c.report.DamagesTotal
	defer func() {
		report.Damages = c.report.DamagesTotal - before
		c.report.Segments = append(c.report.Segments, report)
	}()
	err := c.st.withSegmentFile(name, func(file afero.File, size int64) error {
		report.Bytes = size
		if e != nil {
			h, err := readSegmentHeader(file, name)
			if err == nil {
				err = e.matches(name, c.st.id, &h)
			}
			c.headerDamage(err)
		}
		s := newSalvage(c, newSegment(t.header, file), t, size)
		s.run()
		report.Records, report.LastSeq = s.records, s.last
		c.report.Records += s.records
		return nil
	})
	if err == nil {
		return
	}
	reason := "the manifest lists it, and it is missing"
	report.State = stateMissing
	if !errors.Is(err, os.ErrNotExist) {
		c.failed(err)
		reason, report.State = err.Error(), t.state
	}
	c.lose(Damage{File: name, FirstSeq: t.header.firstSeq, LastSeq: t.lastKnown(e), Reason: reason})
}

// lastKnown is the last sequence number that the segment is known to have had,
// zero where there may have been more.
func (t *target) lastKnown(e *manifestEntry) uint64 {
	if t.sealed && e != nil {
		return e.lastSeq
	}
	return 0
}

// headerDamage reports a header that is not the listed segment's. The records
// behind it may still be.
func (c *checker) headerDamage(err error) {
	var d *DamageError
	switch {
	case errors.As(err, &d):
		c.report.damage(Damage{File: d.File, Length: segmentHeaderBytes, Reason: d.Reason})
	default:
		c.failed(err)
	}
}

// lose reports damage that takes records along whose keys are not known.
func (c *checker) lose(d Damage) {
	c.report.damage(d)
	c.keys.miss(d.FirstSeq, d.LastSeq)
}

// surveyOrphans holds every segment that the manifest does not list against it,
// as recovery does.
func (c *checker) surveyOrphans() {
	listed := map[uint64]bool{}
	for i := range c.manifest.entries {
		listed[c.manifest.entries[i].number] = true
	}
	candidates := append(slices.Clone(c.inv.segments), c.manifest.nextSegment)
	slices.Sort(candidates)
	r := &recovery{st: c.st, opts: c.opts, inv: c.inv, manifest: *c.manifest, loadedNext: c.manifest.nextSegment}
	for _, number := range slices.Compact(candidates) {
		if listed[number] {
			continue
		}
		err := r.judgeOrphan(number)
		var d *DamageError
		if errors.As(err, &d) {
			c.lose(Damage{File: d.File, FirstSeq: d.FirstSeq, LastSeq: d.LastSeq, Reason: d.Reason})
		} else {
			c.failed(err)
		}
		c.surveyOrphan(number)
	}
}

// surveyOrphan puts a segment that counts for nothing into the report.
func (c *checker) surveyOrphan(number uint64) {
	report := SegmentReport{File: segmentName(number), State: stateUnlisted, Kind: kindName(0)}
	err := c.st.withSegmentFile(report.File, func(file afero.File, size int64) error {
		report.Bytes = size
		if h, err := readSegmentHeader(file, report.File); err == nil {
			report.Kind, report.FirstSeq, report.LastSeq = kindName(h.kind), h.firstSeq, h.firstSeq-1
		}
		return nil
	})
	// There may be none; otherwise judging it has failed as well.
	if err == nil {
		c.report.Segments = append(c.report.Segments, report)
	}
}

// surveyUnlisted reads the segments without a manifest to say which ones count:
// all of this store, in the order of their records. A record that stands in two
// segments counts in the later one.
func (c *checker) surveyUnlisted() {
	var targets []target
	for _, number := range c.inv.segments {
		if h, ok := c.ownHeader(number); ok {
			targets = append(targets, target{header: h, state: stateUnlisted, length: segmentHeaderBytes, stop: math.MaxUint64, chain: h.chainStart()})
		}
	}
	slices.SortStableFunc(targets, func(a, b target) int { return cmp.Compare(a.header.firstSeq, b.header.firstSeq) })
	for i := range targets {
		if i+1 < len(targets) {
			targets[i].stop = targets[i+1].header.firstSeq
		}
		c.surveySegment(&targets[i], nil)
	}
	c.keys.unknown = true // there may have been more of them
}

// ownHeader reads the header of a segment that belongs to the store. While
// nothing says which store this is, the first segment does.
func (c *checker) ownHeader(number uint64) (h segmentHeader, ok bool) {
	name := segmentName(number)
	err := c.st.withSegmentFile(name, func(file afero.File, _ int64) (err error) {
		h, err = readSegmentHeader(file, name)
		return err
	})
	switch {
	case err != nil:
		c.headerDamage(err)
		return h, false
	case c.st.id != (storeID{}) && h.store != c.st.id:
		c.note("%s belongs to store %x", name, h.store)
		return h, false
	case h.number != number:
		c.note("%s is a copy of segment %d under another name", name, h.number)
		return h, false
	}
	c.st.id = h.store
	return h, true
}

func kindName(kind uint32) string {
	switch kind {
	case segmentLog:
		return "log"
	case segmentCopy:
		return "copy"
	}
	return "unknown"
}
