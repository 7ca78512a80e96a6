// Package litmus holds small programs of file-system calls whose states after a
// crash can be seen on a real file system and compared with what the crash model
// of faultfs calls legal.
//
// A program is data: calls that make its files, which are durable before it
// starts, and the calls after each of which the machine may stop. [Program.Run]
// does them on any afero.Fs, so that the same program runs on a mounted ext4 and
// on a faultfs.Disk.
//
// The tests of this package make file systems on loop devices, run every program,
// stop the machine at every point, mount what is left, and require it to be in
// the Space of the Disk. They need root on Linux and the mkfs tools of ext4, xfs
// and btrfs (e2fsprogs, xfsprogs, btrfs-progs), and skip what they cannot have.
// docs/FAULTS.md says what was seen.
package litmus
