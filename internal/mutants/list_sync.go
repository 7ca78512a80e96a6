package mutants

// syncs are bugs in when and what is synced.
var syncs = []Mutant{
	{
		Name: "flush-never-syncs", File: "committer.go",
		Old: `	if err := vfs.SyncData(seg.file); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", seg.name, errIO, err)
	}`,
		New:  `	_ = vfs.SyncData`,
		Rule: "a write is acknowledged once it was synced",
	},
	{
		Name: "flush-syncs-before-it-writes", File: "committer.go",
		Old: `	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil {
		return fmt.Errorf("writing %d bytes to %s at offset %d: %w",
			len(c.buf), seg.name, c.durable.offset, err)
	}
	if err := vfs.SyncData(seg.file); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", seg.name, errIO, err)
	}`,
		New: `	if err := vfs.SyncData(seg.file); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", seg.name, errIO, err)
	}
	if err := writeAt(seg.file, c.buf, c.durable.offset); err != nil {
		return fmt.Errorf("writing %d bytes to %s at offset %d: %w",
			len(c.buf), seg.name, c.durable.offset, err)
	}`,
		Rule: "a sync covers what was written before it, not after",
	},
	{
		Name: "flush-syncs-only-large-groups", File: "committer.go",
		Old:  `	if err := vfs.SyncData(seg.file); err != nil {`,
		New:  `	if err := vfs.SyncData(seg.file); len(c.buf) >= 64 && err != nil {`,
		Rule: "the sync of a small group counts as much as any",
	},
	{
		Name: "flush-syncs-only-long-groups", File: "committer.go",
		Old: `	if err := vfs.SyncData(seg.file); err != nil {`,
		New: `	if len(c.buf) < 64 {
	} else if err := vfs.SyncData(seg.file); err != nil {`,
		Rule: "a small write is synced as well",
	},
	{
		Name: "flush-syncs-every-other-group", File: "committer.go",
		Old: `	if err := vfs.SyncData(seg.file); err != nil {`,
		New: `	if c.db.counters.syncs.Load()%2 == 1 {
	} else if err := vfs.SyncData(seg.file); err != nil {`,
		Rule: "every group is synced, not every second",
	},
	{
		Name: "flush-syncs-the-first-segment", File: "committer.go",
		Old:  `	if err := vfs.SyncData(seg.file); err != nil {`,
		New:  `	if err := vfs.SyncData(c.segments[0].file); err != nil {`,
		Rule: "the file that was written is the one to sync",
	},
	{
		Name: "flush-syncs-the-directory-only", File: "committer.go",
		Old:  `	if err := vfs.SyncData(seg.file); err != nil {`,
		New:  `	if err := vfs.SyncDir(c.db.storage.fs, c.db.storage.dir); err != nil {`,
		Rule: "a sync of the directory does not cover the data of its files",
	},
	{
		Name: "new-file-is-not-synced", File: "storage.go",
		Old: `	if err := file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", name, errIO, err)
	}`,
		New:  ``,
		Rule: "a new file is durable before its name is relied on",
	},
	{
		Name: "new-file-is-synced-before-it-is-written", File: "storage.go",
		Old: `	if err := writeAt(file, b, 0); err != nil {
		return fmt.Errorf("writing %s: %w: %w", name, errIO, err)
	}
	return st.syncNew(file, name)`,
		New: `	if err := st.syncNew(file, name); err != nil {
		return err
	}
	if err := writeAt(file, b, 0); err != nil {
		return fmt.Errorf("writing %s: %w: %w", name, errIO, err)
	}
	return nil`,
		Rule: "a new segment's header is durable when its creation returns",
	},
	{
		Name: "new-segment-is-not-synced", File: "segment.go",
		Old:  `err = st.writeDurably(file, name, append(h.encode(), body...))`,
		New:  `err = writeAt(file, append(h.encode(), body...), 0)`,
		Rule: "a new segment is durable before a manifest lists it",
	},
	{
		Name: "copy-is-not-synced", File: "segment.go",
		Old: `		err = st.writeDurably(file, name, append(h.encode(), body...))`,
		New: `		err = st.writeDurably(file, name, h.encode())
		if err == nil {
			err = writeAt(file, body, segmentHeaderBytes)
		}`,
		Rule: "the records that recovery writes again are synced in their new place",
	},
	{
		Name: "segment-is-reserved-after-its-sync", File: "segment.go",
		Old: `	err = vfs.Preallocate(file, h.capacity)
	if err != nil {
		err = fmt.Errorf("reserving %d bytes for %s: %w", h.capacity, name, err)
	}
	if err == nil {
		err = st.writeDurably(file, name, append(h.encode(), body...))
	}`,
		New: `	err = st.writeDurably(file, name, append(h.encode(), body...))
	if err == nil {
		err = vfs.Preallocate(file, h.capacity)
	}`,
		Rule: "the size of a segment is durable before its first record",
	},
	{
		Name: "segment-is-not-reserved", File: "segment.go",
		Old:  `	err = vfs.Preallocate(file, h.capacity)`,
		New:  `	err = nil`,
		Rule: "a segment has its full size from the start, so that a shorter one is damaged",
	},
	{
		Name: "manifest-is-not-synced", File: "manifest_files.go",
		Old:  `	err = st.syncNew(file, name)`,
		New:  `	err = st.syncDir()`,
		Rule: "a manifest's content is synced as well as its name",
	},
	{
		Name: "manifest-has-its-data-synced-alone", File: "manifest_files.go",
		Old:  `	err = st.syncNew(file, name)`,
		New:  `	err = file.Sync()`,
		Rule: "a manifest's name is synced as well as its content",
	},
	{
		Name: "store-file-is-not-synced", File: "manifest_files.go",
		Old:  `	return st.writeFile(storeFile, encodeStoreFile(st.id))`,
		New:  `	return afero.WriteFile(st.fs, st.path(storeFile), encodeStoreFile(st.id), 0o644)`,
		Rule: "STORE is durable before the first segment is begun",
	},
	{
		Name: "store-file-before-the-manifest", File: "manifest_files.go",
		Old: `	if err := st.writeManifest(&m); err != nil {
		return err
	}
	return st.writeFile(storeFile, encodeStoreFile(st.id))`,
		New: `	if err := st.writeFile(storeFile, encodeStoreFile(st.id)); err != nil {
		return err
	}
	return st.writeManifest(&m)`,
		Rule: "STORE says that a store was completed, so it comes last",
	},
	{
		Name: "new-file-is-synced-name-first", File: "storage.go",
		Old: `	if err := file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", name, errIO, err)
	}
	return st.syncDir()`,
		New: `	if err := st.syncDir(); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return fmt.Errorf("syncing %s: %w: %w", name, errIO, err)
	}
	return nil`,
		Rule: "a new file's content is durable before its name",
		Equivalent: "Nothing builds on a new file before both syncs have returned, and a name without its content " +
			"is what a crash may leave in the other order too: the weak model lets the entry reach the disk by itself.",
	},
}

// directorySyncs are bugs in what makes names durable.
var directorySyncs = []Mutant{
	{
		Name: "new-name-is-not-synced", File: "storage.go",
		Old:  `	return st.syncDir()`,
		New:  `	return nil`,
		Rule: "a new file's directory entry is durable before anything relies on it",
	},
	{
		Name: "directory-is-never-synced", File: "storage.go",
		Old:  `	if err := vfs.SyncDir(st.fs, st.dir); err != nil {`,
		New:  `	if err := error(nil); err != nil {`,
		Rule: "syncing the directory does sync it",
	},
	{
		Name: "parent-is-synced-instead", File: "storage.go",
		Old:  `	if err := vfs.SyncDir(st.fs, st.dir); err != nil {`,
		New:  `	if err := vfs.SyncDir(st.fs, filepath.Dir(st.dir)); err != nil {`,
		Rule: "the directory that holds the name is the one to sync",
	},
	{
		Name: "directory-sync-fails-unnoticed", File: "storage.go",
		Old:  `	if err := vfs.SyncDir(st.fs, st.dir); err != nil {`,
		New:  `	if err := vfs.SyncDir(st.fs, st.dir); err != nil && false {`,
		Rule: "after a failed sync of the directory the name is not relied on",
	},
	{
		Name: "directory-sync-is-tried-again", File: "storage.go",
		Old: `	if err := vfs.SyncDir(st.fs, st.dir); err != nil {`,
		New: `	err := vfs.SyncDir(st.fs, st.dir)
	if err != nil {
		err = vfs.SyncDir(st.fs, st.dir)
	}
	if err != nil {`,
		Rule: "a second sync says nothing of what the failed one covered",
	},
	{
		Name: "path-is-not-synced", File: "manifest_files.go",
		Old: `	if err := st.syncPath(); err != nil {
		return err
	}
	id, err := st.newID()`,
		New:  `	id, err := st.newID()`,
		Rule: "a store is no more durable than the path to it",
	},
	{
		Name: "path-is-synced-to-the-parent", File: "storage.go",
		Old:  `parent != dir; dir, parent = parent, filepath.Dir(parent) {`,
		New:  `parent != dir; dir, parent = parent, parent {`,
		Rule: "every directory on the path is synced, not the nearest alone",
	},
	{
		Name: "path-sync-fails-unnoticed", File: "storage.go",
		Old:  `		if err != nil && !errors.Is(err, os.ErrPermission) {`,
		New:  `		if err != nil && !errors.Is(err, os.ErrPermission) && dir == "" {`,
		Rule: "a store is not created on a path that could not be synced",
	},
	{
		Name: "removal-is-not-synced", File: "manifest_files.go",
		Old:  `	return st.syncDir()`,
		New:  `	return nil`,
		Rule: "what an interrupted creation left is gone for good before its name is used again",
		Equivalent: "The sync of the directory that makes the first manifest's name durable covers the removals too, " +
			"and until STORE has followed, a directory whose only manifest is the first one counts as never opened.",
	},
	{
		Name: "leftovers-are-written-over", File: "manifest_files.go",
		Old: `	err := st.fs.Remove(st.path(name))`,
		New: `	if file, err := st.fs.OpenFile(st.path(name), os.O_RDWR|os.O_TRUNC, 0); err == nil {
		_ = file.Close()
	}
	err := os.ErrNotExist`,
		Rule: "a name that a failed sync left is not built upon",
	},
	{
		Name: "leftovers-stay", File: "manifest_files.go",
		Old:  `	for _, name := range []string{storeFile, manifestName(m.generation)} {`,
		New:  `	for _, name := range []string{storeFile} {`,
		Rule: "an interrupted creation can be begun again",
	},
}
