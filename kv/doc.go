// Package kv is a key-value store in one directory of any afero file system,
// for people who need a nil error to mean "on disk".
//
// # Contract
//
// Durable on return. Under SyncAlways, the default, a write that returns nil
// has been synced with everything needed to find it again: it survives SIGKILL,
// a kernel crash and a power cut. Under SyncEvery it has not, and a crash may
// lose the last interval.
//
// Visible only once durable. Under SyncAlways no reader sees a write before it
// is durable, and Open makes what it found durable before it returns. So a
// value that was once read never vanishes.
//
// All or nothing. A Batch is one atomic unit: after any crash either all of it
// is there or none, and no scan sees part of it.
//
// Three outcomes. A write that returns nil is applied; one that returns an
// error that is ErrOutcomeUnknown may or may not be, which the next Open
// decides; with any other error it is not, and never will be.
//
// Damage is never silent. Every record is verified when it is read. Open
// refuses a store in which acknowledged data is missing or wrong, with a
// *DamageError that says where, and never creates an empty store over the
// remains of a full one. A torn tail, which a crash leaves of writes that were
// not acknowledged, is cut, counted and logged; see Assumptions for the one kind
// of damage that looks like it.
//
// A failed sync is believed. After a failed write or sync nothing since the last
// good sync counts as durable, and that file is neither written nor synced
// again: the write goes on in a new file, and only if that fails too the store
// is fenced. Then reads go on, writes return ErrFenced, and resume by themselves
// once the storage works again. A full disk does not fence: writes return
// ErrDiskFull and resume as soon as there is space. It does fence when not even
// a manifest of some hundred bytes finds space, which is what says that the
// write failed.
//
// Concurrency. Every method of DB and Snapshot may be called from any
// goroutine, at any time. Writes that are under way together share one sync.
// Readers never wait for I/O of writers. Close may overlap anything.
//
// Ownership. A store keeps no slice that it is handed once the call returns,
// and hands out none that it keeps.
//
// # Assumptions
//
// A sync that returns without an error has made durable what it covers; the
// drive does not lie about it. Writing into a file does not damage bytes of it
// that are not being written. No sector write is assumed to be atomic, writes
// may reach the disk in any order, and a file's name may be durable without its
// content and the other way round. Damage to writes of the last second before a
// crash (the manifest says that often how far the log is durable), in a store
// that was not closed, that takes everything written after them along, cannot be
// told from a torn write; it is cut and reported.
//
// # Limits
//
// Keys have 1 to 65,536 bytes and live in memory, with about 100 bytes beside
// each. Values stay on disk, up to Options.MaxValueBytes. Open reads every
// segment. Space that overwritten and deleted records take is not given back.
//
// # Files
//
//	LOCK               held while the store is open; empty
//	STORE              says that a store was completed here; manifest_files.go
//	MANIFEST-00000042  which segments belong to the store; manifest.go
//	00000007.seg       records, in the order in which they were committed;
//	                   segment.go and record.go
//
// Every file but LOCK begins with a magic string and a format version.
//
// To read the code, follow one write: DB.Set, committer.commit, flush, publish;
// and one Open: recovery.run.
package kv
