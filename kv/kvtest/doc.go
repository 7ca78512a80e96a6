// Package kvtest shows package kv to the explorer of package faultfs, which
// crashes it at every point and starts it again on every legal disk, and holds
// what it then says against what it had promised.
//
// Three things are apart, and each can be used without the others:
//
//   - the subject (subject.go) runs plans on a store, and a store on what a
//     crash has left. It notes what happened as events, and judges nothing;
//   - the events (events.go) are all that the oracle gets to know;
//   - the oracle (oracle.go) is a pure function of events. It knows nothing of
//     formats and checksums. A mistake of the store is therefore not
//     repeated in what judges it.
//
// # What the oracle holds a store to
//
//   - Every write that was told OK is there, under [kv.SyncAlways]. Under an
//     interval policy those are that a Sync or a Close covered, and of the others
//     the survivors are the first ones, in the order of commit.
//   - Every batch is there as a whole or not at all.
//   - Nothing survives that was issued after something that did not, unless that
//     failed.
//   - Nothing is there that was not written, under no key and with no wrong byte.
//   - A write that failed never appears.
//   - A write whose outcome was unknown, or that was under way in the crash, is
//     there or not. Once an Open has shown which, it stays so.
//   - What an Open has once shown stays, until it is overwritten: so recovering
//     twice shows what recovering once does.
//   - Get and Scan agree with each other, and with what the recovery reports.
//   - Nothing grows: after Open there are a manifest, the two files of fixed
//     names and the segments that the store counts; no more segments than
//     records, no more records than were written; and without a write a later
//     Open finds no more files and no more bytes than the one before. A crash
//     may leave one file that cannot be told from somebody else's, and that is
//     left alone.
//   - Open refuses none of this, and never calls it damage. On a disk that only
//     crashes no other call fails either.
//
// It takes one writer that waits for each outcome. Histories of concurrent
// callers need another judge.
package kvtest
