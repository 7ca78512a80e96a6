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
// [New] makes the file system that follows rules. [NewVolatile] makes the other
// one of this package: a layer that holds back what was not synced, so that the
// end of the process is a power cut. Rules go above it:
//
//	disk := faultfs.NewVolatile(afero.NewOsFs(), faultfs.VolatileOptions{})
//	fsys := faultfs.New(disk, faultfs.MustParse(`sync * #1 EIO; write * #40 crash=any`)...)
//
// Package faultfstest checks that either, or a file system of your own, does
// what POSIX and a store that promises durability need.
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
//	clause     = occurrence | "p=" chance | "seed=" n | "heal=" n      (* which of the calls *)
//	           | "delay=" time | "stall" | "count"                      (* what does not end the call *)
//	           | "flip=" bit | "zero" | "garbage"
//	           | "tear=" n | errno | "after" | personality              (* what does *)
//	           | "short=" n | "misdirect=" [ sign ] n | "lost" | "quota=" n
//	           | "crash" [ "=" keep ] ;
//	occurrence = "#" n [ "+" ] ;
//	errno      = "EACCES" | "EDQUOT" | "EINTR" | "EIO" | "EMFILE" | "ENOMEM" | "ENOSPC" | "EPERM" | "EROFS" ;
//	personality = "clean" | "reverted" | "late" | "aborted" ;    (* of a failed sync *)
//	keep       = "nothing" | "whole" | "torn" | "zeros" | "garbage" | "any" ;
//
// Every n is at least 1 (a quota may be 0), a bit at least 0, a sign "+" or "-";
// a chance is a decimal above 0 and not above 1; a time is a Go duration such as
// 5ms. Of flip, zero and garbage a rule has one, and of the personalities one.
//
// For example:
//
//	sync *.seg #3 EIO               the third sync of a segment fails; nothing is synced
//	sync * #2+ EIO                  every sync from the second on fails
//	sync * #2+ heal=4 EIO           the second to the fifth fail, then syncs work again
//	sync * #1 EIO after             the first sync is done, and reported as failed
//	syncdir * EIO                   no directory can be synced
//	write *.seg #2 tear=17 EIO      the second write puts 17 bytes into the file, then fails
//	write * quota=65536             a disk with 64 KiB left: what fits is written, then ENOSPC
//	write * quota=0 EDQUOT          a user with nothing left of his quota
//	create|write|rename * EROFS     the file system has become read-only
//	any * #17 EIO                   the seventeenth call of any kind fails: the step of an error sweep
//	read data/*.seg #1 EIO          the glob sees the last two names of the path
//	open "/srv/my db/MANIFEST" EMFILE
//	write *.seg p=0.25 seed=7 EIO   a quarter of the writes, the same ones in every run
//	read * #100+ p=0.01 heal=3 EIO  from the hundredth read on one in a hundred, three in all
//	write * delay=5ms               every write takes 5 ms longer
//	sync * #2 delay=1s EIO          the second sync fails, and takes its time over it
//	sync *.seg #3 stall             the third sync hangs until it is released
//	write * #2 short=100            100 bytes are written, and io.ErrShortWrite says so
//	read * #4 flip=17               bit 1 of the third byte that the fourth read returns is wrong
//	write * #1 zero                 the first sector that the first write touches becomes zeros
//	write * #5 seed=9 garbage       or random bytes; writing reports success
//	write * tear=512 garbage ENOSPC
//	write *.seg #2 misdirect=-512   the second write lands one sector too early
//	sync * lost                     a disk that ignores syncs: the control of a campaign
//	syncdir * lost                  the same for directory entries
//	write|sync * #9 lost            the ninth of both has no effect
//	sync * #1 EIO clean             as ext4 and xfs: the next sync says ok and the disk has the old bytes
//	sync * #1 EIO reverted          as btrfs: the cache goes back to what the disk has
//	sync * #1 EIO late              this sync says ok and did nothing; the next of that file fails
//	syncdir * #1 EIO aborted        from then on everything that would change something fails with EROFS
//	write * #40 crash               the power is cut just before the fortieth write
//	sync * seed=3 after crash=any   or after a sync; what was pending survives in seeded parts
//	sync * count                    strikes nothing: Calls of its injection is the number of syncs
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
// counts every call that matches it, struck or not. With p= a call is struck
// when a number drawn from the seed and the number of that call is small enough,
// so that neither time, nor other rules, nor other calls change which ones are.
// Two rules with one seed draw the same numbers: give each a seed of its own.
//
// A call that fails with an errno fails with an [io/fs.PathError] around it and
// has had no effect on the file system below: a failed write writes nothing
// (beyond the bytes of tear=). The exceptions are asked for with "after", which
// has the full effect and then reports failure, and "close", which always
// releases the file below, as close(2) does.
//
// A sector is 512 bytes of the file, aligned to its start; zero and garbage
// damage the first that the call touches, as far as the call covers it. A bit
// beyond the end of the call is counted on from its start again. A misdirected
// write that would begin before the file goes as far to the other side.
//
// # How rules combine
//
// All rules decide together what becomes of a call, at one moment, before
// anything happens to it:
//
//   - Of the rules that want to end the call (an errno, tear, short, misdirect,
//     lost, crash) the one injected first does. The others have not fired.
//   - All that want to delay or stall it do so, one after the other in the order
//     of injection, and before any effect. If such a rule also ends or damages
//     the call, both halves belong together: it fires whole or not at all.
//   - All that want to damage its bytes do so, in the order of injection, when
//     there are any: with no rule that ends the call, or one that lets bytes
//     through (tear, short, misdirect, after). Otherwise they have not fired.
//   - A quota is asked after all of these, by what is about to be allocated.
//   - Counting rules count, whatever the others do.
//
// Some calls end without a rule: after a crash, after "aborted", and a sync that
// owes the late error of a former one. Those are counted and never struck.
//
// # Failed syncs
//
// After a failed sync the data that it covered is not pending any more on most
// file systems: the next sync says ok, and the disk has the old bytes. If the
// file system below can do that (its files implement FailSync, as those of a
// volatile layer do), every failed sync without "after" does, unless the rule
// names another personality. A file system below that cannot is not synced, and
// what was pending remains so; "clean" and "reverted" are refused there.
// "late" and "aborted" work on any; when "late" delivers its error and when
// "aborted" fails its sync, the pages become clean as well where they can.
//
// # Crash
//
// The file system below must be able to lose its power; else the rule is refused.
// Every later call fails with an error that is [ErrCrashed], as do those that
// waited. Closing still releases the file below. [FS.OnCrash] sets what is
// called after the cut. Nothing heals a crash: recover from the file system that
// is below the one that crashed, through a new FS.
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
// Syncs, crashes and what is legal after one are those of the file system
// below: over a plain directory a failed or lost sync leaves the data in the
// kernel's cache, where a killed process does not lose it. A stale read is not
// modelled. The layer holds at most 256 MiB unless told otherwise, and says
// [ErrVolatileFull] beyond that; a cut of its power is no crash of the machine
// below, and drops nothing that was synced. Damage done on the way is not seen by the rule again: a read that
// is damaged once is good the next time. A fault that damages or shortens a call
// that moves no bytes, or fewer, has fired all the same. A file opened for
// appending is opened a second time, by its name, to misdirect a write to it.
// With concurrent callers the counts are exact, and which goroutine makes the
// n-th call is the scheduler's choice; one goroutine gets the same firings in
// every run. Calls that are not part of afero.File or afero.Fs (an *os.File
// behind the wrapper) are not seen. With a quota in force calls that allocate
// run one at a time, and calls already in flight when it is injected are not
// counted.
package faultfs
