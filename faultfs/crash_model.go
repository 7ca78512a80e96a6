package faultfs

import (
	"fmt"
	"slices"
)

// Profile is what a file system promises about the order in which changes that
// nobody synced reach the disk. docs/FAULTS.md has the sources.
type Profile string

const (
	// Weak promises nothing that POSIX does not. It decides pass or fail; the
	// others only say where a failure would show today.
	Weak Profile = "weak"

	// Ext4 is ext4 with data=ordered: names change atomically and in the order
	// of the journal, data reaches new blocks before the size that shows them,
	// syncing a file commits the journal, and renaming over an existing name
	// flushes the source first.
	Ext4 Profile = "ext4"

	// XFS changes names atomically and in order, and data before size; it has
	// no rename heuristic.
	XFS Profile = "xfs"

	// Btrfs copies on write (a 4 KiB block is old or new) and changes names
	// atomically, in any order. Syncing a file makes its own name durable.
	Btrfs Profile = "btrfs"
)

// Profiles returns all of them, the weakest first.
func Profiles() []Profile { return []Profile{Weak, Ext4, XFS, Btrfs} }

// ParseProfile returns the profile called name.
func ParseProfile(name string) (Profile, error) {
	if p := Profile(name); slices.Contains(Profiles(), p) {
		return p, nil
	}
	return "", fmt.Errorf("profile %q: want one of %v", name, Profiles())
}

// SectorBytes is the unit in which a disk loses or keeps data.
const SectorBytes = 512

// PageBytes is the unit in which caches write back, and the block of Btrfs.
const PageBytes = 4096
