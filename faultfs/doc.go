// Package faultfs wraps any afero file system and makes it fail on purpose.
//
// A fault is a [Rule]: a value that says which calls it is about, which of
// them it strikes, and what happens to those. Rules print and parse back, so a
// report that prints its rules contains its own reproduction:
//
//	fsys := faultfs.New(base, faultfs.Rule{Op: faultfs.OpSync, Path: "*.seg", N: 3, Err: syscall.EIO})
//	fsys := faultfs.New(base, faultfs.MustParse(`sync *.seg #3 EIO`)...)   // the same
//	defer fsys.CheckFired(t)                                               // a fault that never struck proves nothing
//
// # Grammar
//
//	rules      = [ rule ] { ( ";" | newline ) [ rule | comment ] } ;
//	comment    = "#" text-to-the-end-of-the-line ;               (* only where a rule could start *)
//	rule       = ops path { clause } ;                           (* each clause at most once, in any order *)
//	ops        = "any" | op { "|" op } ;
//	op         = "open" | "create" | "read" | "write" | "sync" | "syncdir" | "truncate" | "preallocate"
//	           | "rename" | "remove" | "mkdir" | "list" | "stat" | "seek" | "lock" | "attr" | "close" ;
//	path       = "*" | glob | quoted ;                           (* quoted: a Go string literal in double quotes *)
//	clause     = occurrence | "heal=" n | "tear=" n | "quota=" n | errno | "after" ;
//	occurrence = "#" n [ "+" ] ;
//	errno      = "EACCES" | "EDQUOT" | "EINTR" | "EIO" | "EMFILE" | "ENOMEM" | "ENOSPC" | "EPERM" | "EROFS" ;
//
// For example:
//
//	sync *.seg #3 EIO              the third sync of a segment fails; nothing is synced
//	sync * #2+ EIO                 every sync from the second on fails
//	sync * #2+ heal=4 EIO          the second to the fifth fail, then syncs work again
//	sync * #1 EIO after            the first sync is done, and reported as failed
//	syncdir * EIO                  no directory can be synced
//	write *.seg #2 tear=17 EIO     the second write puts 17 bytes into the file, then fails
//	write * quota=65536            a disk with 64 KiB left: what fits is written, then ENOSPC
//	write * quota=0 EDQUOT         a user with nothing left of his quota
//	create|write|rename * EROFS    the file system has become read-only
//	any * #17 EIO                  the seventeenth call of any kind fails: the step of an error sweep
//	read data/*.seg #1 EIO         the glob sees the last two names of the path
//	open "/srv/my db/MANIFEST" EMFILE
//
// # Which calls
//
// Data-only sync counts as sync; sync of an open directory counts as syncdir.
// Opening a file with [os.O_CREATE] counts as create whether or not the file
// was there. Chmod, Chown and Chtimes are attr; a rename is matched by its old
// or its new name and counts once; MkdirAll and RemoveAll are one call each.
// An open file is matched by the name that it was opened under.
//
// A glob without a slash is matched against the last name of a path, one with
// slashes against as many last names as it has itself, one with a leading slash
// against the whole path; the wildcards are those of [path.Match].
//
// # Which of them, and what happens
//
// Each rule counts the calls that match it, from 1, starting when it is
// injected. The count is exact however many goroutines call, and every rule
// counts every call that matches it. When two rules want to strike the same
// call the one injected first does, and the other has not fired.
//
// A struck call fails with an [io/fs.PathError] around the errno and has had no
// effect on the file system below: a failed sync syncs nothing, a failed write
// writes nothing (beyond the bytes of tear=). The exceptions are asked for with
// "after", which has the full effect and then reports failure, and "close",
// which always releases the file below, as close(2) does.
//
// # Full disk
//
// A quota is the number of bytes that may still be allocated when the rule is
// injected, on the whole file system. Growing a file costs what it grows by, by
// write, truncate or preallocation alike (a hole costs as much as data); writing
// over what is there costs nothing. Making a file or a directory costs nothing
// but is refused once nothing is left. Truncating and removing give back, and a
// file that is removed while open gives back when its last handle is closed. A
// write that does not fit writes the part that does. [Injection.SetQuota] and
// [Injection.Remove] end the shortage.
//
// # Limits
//
// The package models a disk that says that it failed. It does not model what a
// power cut leaves behind, lost or misdirected writes, or latency. Calls that
// are not part of afero.File or afero.Fs (an *os.File behind the wrapper) are
// not seen. With a quota in force calls that allocate run one at a time, and
// calls already in flight when it is injected are not counted.
package faultfs
