package kv

import "slices"

// Giving back space, the last step of recovery. Nothing here is synced: a crash
// may undo it, and then the next recovery finds the same to give back. So space
// that an earlier process reserved, or did not get to remove, is not lost for
// good, however often it crashes.

// trim gives back the reserved space of a segment that was sealed early. What
// stood behind the cut stays, as evidence.
type trim struct {
	seg  *segment
	size int64
}

// planTrim notes that a sealed segment has all the space that it reserved when
// it was begun. Either a crash came before that was given back, or it has undone
// that. What was cut off behind the seal stays, here as well.
func (r *recovery) planTrim(rp *replay, e *manifestEntry) {
	seg := rp.seg
	info, err := seg.file.Stat()
	if err != nil || e.length == e.capacity || info.Size() < e.capacity {
		return // space is all that this is about
	}
	// What any record there says of the log is of no account any more.
	rem, err := seg.examine(rp.window, e.length, e.capacity)
	switch {
	case err != nil:
	case rem.end == e.length: // the usual one: nothing was cut off
		r.trims = append(r.trims, trim{seg, e.length})
	default:
		r.trims = append(r.trims, trim{seg, rem.sectorEnd()})
	}
}

// sectorEnd is where what stands behind the last whole record ends, as far as a
// disk may write it: a crash can leave more of the last sector than was written.
func (rem *remainder) sectorEnd() int64 {
	const sector = 512
	return alignUp(rem.end, sector)
}

// collectGarbage is step 7. What cannot be removed costs space and is met
// again by the next recovery.
func (r *recovery) collectGarbage() {
	r.st.removeManifests(r.inv.manifests)
	for _, t := range r.trims {
		if t.size >= t.seg.header.capacity {
			continue
		}
		if err := t.seg.file.Truncate(t.size); err != nil {
			r.report.note("the reserved space of %s could not be given back: %v", t.seg.name, err)
		}
	}
	for _, name := range r.garbage {
		r.dropSegment(name)
		if err := r.st.fs.Remove(r.st.path(name)); err != nil {
			r.report.note("%s is not needed and could not be removed: %v", name, err)
			continue
		}
		r.report.Removed++
	}
}

// dropSegment closes the segment called name if it is open.
func (r *recovery) dropSegment(name string) {
	r.segments = slices.DeleteFunc(r.segments, func(s *segment) bool {
		if s.name != name {
			return false
		}
		_ = s.file.Close() // only read from
		return true
	})
}
