package mutants

// ignored are errors of the file system that nobody looks at, or that are taken
// for something else.
var ignored = []Mutant{
	{
		Name: "flush-ignores-the-write", File: "committer.go",
		Old:  `	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil {`,
		New:  `	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil && false {`,
		Rule: "a write that failed is not acknowledged",
	},
	{
		Name: "flush-ignores-the-sync", File: "committer.go",
		Old:  `	if err := vfs.SyncData(seg.file); err != nil {`,
		New:  `	if err := vfs.SyncData(seg.file); err != nil && false {`,
		Rule: "a failed sync is believed",
	},
	{
		Name: "commit-ignores-the-flush", File: "committer.go",
		Old: `		if err = c.flush(); err != nil {
			g.finish(err)
			return
		}`,
		New:  `		_ = c.flush()`,
		Rule: "what could not be made durable is not acknowledged",
	},
	{
		Name: "new-file-ignores-its-write", File: "storage.go",
		Old: `	if err := writeAt(file, b, 0); err != nil {
		return`,
		New: `	if err := writeAt(file, b, 0); err != nil && false {
		return`,
		Rule: "a segment whose header could not be written is not used",
	},
	{
		Name: "new-file-ignores-its-sync", File: "storage.go",
		Old:  `	if err := file.Sync(); err != nil {`,
		New:  `	if err := file.Sync(); err != nil && false {`,
		Rule: "a new file whose sync failed is not used",
	},
	{
		Name: "manifest-ignores-its-write", File: "manifest_files.go",
		Old:  `	err = writeAt(file, content, 0)`,
		New:  `	_ = writeAt(file, content, 0)`,
		Rule: "a manifest that could not be written does not count",
	},
	{
		Name: "manifest-ignores-its-sync", File: "manifest_files.go",
		Old:  `	err = st.syncNew(file, name)`,
		New:  `	_ = st.syncNew(file, name)`,
		Rule: "a manifest whose sync failed does not count",
	},
	{
		Name: "manifest-ignores-its-close", File: "manifest_files.go",
		Old:  `err == nil && closeErr != nil {`,
		New:  `err == nil && closeErr != nil && false {`,
		Rule: "an error of close is an error",
	},
	{
		Name: "segment-ignores-its-reservation", File: "segment.go",
		Old: `	err = vfs.Preallocate(file, h.capacity)
	if err != nil {`,
		New: `	err = vfs.Preallocate(file, h.capacity)
	if err = nil; err != nil {`,
		Rule: "a segment without its space is not used",
	},
	{
		Name: "segment-ignores-its-header", File: "segment.go",
		Old:  `		err = st.writeDurably(file, name, append(h.encode(), body...))`,
		New:  `		_ = st.writeDurably(file, name, append(h.encode(), body...))`,
		Rule: "a segment that is not durable is not used",
	},
	{
		Name: "failed-segment-stays", File: "segment.go",
		Old:  `		_ = st.fs.Remove(filepath.Join(st.dir, name))`,
		New:  ``,
		Rule: "a segment that could not be made takes no space",
	},
	{
		Name: "failed-manifest-stays", File: "manifest_files.go",
		Old: `		_ = file.Close()
		_ = st.fs.Remove(st.path(name))
		return`,
		New: `		_ = file.Close()
		return`,
		Rule: "a manifest that could not be written takes no space",
	},
	{
		Name: "rotation-ignores-the-manifest", File: "rotate.go",
		Old: `	if err := c.writeManifest(); err != nil {
		// The manifest may be durable all the same`,
		New: `	if err := c.writeManifest(); err != nil && false {
		// The manifest may be durable all the same`,
		Rule: "nothing is appended to a segment that no durable manifest lists",
	},
	{
		Name: "rotation-forgets-the-manifest", File: "rotate.go",
		Old: `	if err := c.writeManifest(); err != nil {
		// The manifest may be durable all the same`,
		New: `	if err := error(nil); err != nil {
		// The manifest may be durable all the same`,
		Rule: "a new segment is listed before it is appended to",
	},
	{
		Name: "full-disk-is-success", File: "resume.go",
		Old: `		return c.cutOff(cause)
	}
	c.db.opts.Logger.Error`,
		New: `		return nil
	}
	c.db.opts.Logger.Error`,
		Rule: "a write that finds the disk full has failed",
	},
	{
		Name: "full-quota-is-no-full-disk", File: "storage.go",
		Old:  `	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)`,
		New:  `	return errors.Is(err, syscall.ENOSPC)`,
		Rule: "a quota that is used up fails writes, as a full disk does",
	},
	{
		Name: "any-error-is-a-full-disk", File: "storage.go",
		Old:  `errors.Is(err, syscall.EDQUOT)`,
		New:  `errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EIO)`,
		Rule: "an I/O error is not a full disk",
	},
	{
		Name: "listing-error-is-ignored", File: "storage.go",
		Old: `	_ = d.Close()
	if err != nil {`,
		New: `	_ = d.Close()
	if err != nil && len(names) > 1<<20 {`,
		Rule: "a directory that could not be listed is not an empty one",
	},
	{
		Name: "unreadable-store-file-is-none", File: "manifest_files.go",
		Old:  `	return false, fmt.Errorf("reading %s: %w", storeFile, err)`,
		New:  `	return false, st.noEvidence(inv, err)`,
		Rule: "a file that cannot be read is not a file that is not there",
	},
	{
		Name: "unreadable-manifest-is-skipped", File: "manifest_files.go",
		Old: `		if err != nil {
			return manifest{}, err
		}
		m, healed, err`,
		New: `		if err != nil {
			continue
		}
		m, healed, err`,
		Rule: "an older manifest is not used because the newest cannot be read",
	},
	{
		Name: "evidence-that-cannot-be-had-is-none", File: "manifest_files.go",
		Old:  `		} else if !errors.Is(err, os.ErrNotExist) {`,
		New:  `		} else if !errors.Is(err, os.ErrNotExist) && false {`,
		Rule: "a store is not created where nobody can tell whether there was one",
	},
	{
		Name: "misplaced-segment-unreadable", File: "manifest_files.go",
		Old: `	case err != nil:
		return err
	case h.store != st.id, h.kind`,
		New: `	case err != nil:
		return nil
	case h.store != st.id, h.kind`,
		Rule: "a file that cannot be read may be the one that a manifest was lost with",
	},
	{
		Name: "read-error-is-the-end-of-the-log", File: "replay.go",
		Old:  `	if err != nil && !errors.Is(err, io.EOF) {`,
		New:  `	if err != nil && !errors.Is(err, io.EOF) && n < 0 {`,
		Rule: "a read error is not the end of the log",
	},
	{
		Name: "read-error-ends-the-active-segment", File: "recover.go",
		Old: `	rp := newReplay(seg, e.length, e.capacity, r.applyFrom(seg))
	if err := rp.run(); err != nil {
		return err
	}`,
		New: `	rp := newReplay(seg, e.length, e.capacity, r.applyFrom(seg))
	_ = rp.run()`,
		Rule: "a log that contradicts itself, or cannot be read, is not cut",
	},
	{
		Name: "read-error-ends-a-sealed-segment", File: "recover.go",
		Old: `	err := rp.run()
	r.buf = rp.window.buf[:0]
	if err != nil {
		return err
	}`,
		New: `	_ = rp.run()
	r.buf = rp.window.buf[:0]`,
		Rule: "a segment that cannot be read is not a damaged one",
	},
	{
		Name: "read-error-behind-the-tail-is-ignored", File: "recover.go",
		Old: `	rem, err := seg.examine(rp.window, rp.end.offset, rp.end.offset)
	if err != nil {
		return err
	}`,
		New:  `	rem, err := seg.examine(rp.window, rp.end.offset, rp.end.offset)`,
		Rule: "a tail that cannot be read may hold the proof of damage",
	},
	{
		Name: "unreadable-orphan-is-garbage", File: "recover.go",
		Old: `	case errors.Is(err, ErrDamaged):
		// Its creation`,
		New: `	case err != nil:
		// Its creation`,
		Rule: "a file is not removed because it cannot be read",
	},
	{
		Name: "orphan-errors-are-ignored", File: "recover.go",
		Old:  `	if errors.Is(err, os.ErrNotExist) {`,
		New:  `	if err != nil || errors.Is(err, os.ErrNotExist) {`,
		Rule: "a segment that no manifest lists is proof that a manifest was lost",
	},
	{
		Name: "unread-records-are-written-again", File: "recover.go",
		Old:  `	if _, err := readAt(seg.file, body, t.durable.offset); err != nil {`,
		New:  `	if _, err := readAt(seg.file, body, t.durable.offset); err != nil && len(body) == 0 {`,
		Rule: "what is written again is what was read",
	},
	{
		Name: "recovery-ignores-its-manifest", File: "recover.go",
		Old:  `	if err := r.st.writeManifest(&r.manifest); err != nil {`,
		New:  `	if err := r.st.writeManifest(&r.manifest); err != nil && false {`,
		Rule: "recovery is done once its manifest is durable",
	},
	{
		Name: "recovery-ignores-its-copy", File: "recover.go",
		Old: `	seg, err := r.st.createSegment(h, body)
	if err != nil {
		return fmt.Errorf("writing the last records again: %w", err)
	}`,
		New: `	seg, err := r.st.createSegment(h, body)
	if err != nil {
		return nil
	}`,
		Rule: "records that could not be written again are not dropped",
	},
	{
		Name: "close-ignores-the-manifest", File: "rotate.go",
		Old:  `		return fmt.Errorf("noting where the log ends: %w", err)`,
		New:  `		return nil`,
		Rule: "Close says when the end of the log could not be noted",
	},
	{
		Name: "leftover-that-stays-is-ignored", File: "manifest_files.go",
		Old: `	if err != nil {
		return fmt.Errorf("removing %s, which`,
		New: `	if err != nil && false {
		return fmt.Errorf("removing %s, which`,
		Rule: "a store is not created around a file that could not be removed",
	},
}
