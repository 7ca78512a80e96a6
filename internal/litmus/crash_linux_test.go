package litmus

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/spf13/afero"
	"golang.org/x/sys/unix"

	"holdfast/faultfs"
)

// ending is how the machine stops.
type ending int

const (
	// copied: what is on the device at this moment, while the file system goes on.
	copied ending = iota
	// shutDown: the file system stops by itself, and forgets what its journal has
	// not written.
	shutDown
	// shutDownLogged: the same after the journal was written.
	shutDownLogged
)

// What FS_IOC_SHUTDOWN is called with.
const (
	shutdownIoctl = 0x8004587d
	logFlush      = 1
	noLogFlush    = 2
)

// nudge is what else happens on the machine after a step: things that a kernel
// may do at any time.
type nudge int

const (
	nothing   nudge = iota
	data            // all data of the program is written, but no journal
	oddPages        // the same, but only every second page of each file
	bystander       // another file is synced, and the journal with it
	nudges
)

// round is one way to run every program.
type round struct {
	ending ending
	// always happens after each step; with nudges it is drawn each time.
	always nudge
}

// bench is where one goroutine runs programs.
type bench struct {
	kind     kind
	dir      string
	template string // an image with an empty file system
	image    string // the one in use
	mnt      string // where it is mounted
}

func (b *bench) set() error {
	b.template, b.image, b.mnt = filepath.Join(b.dir, "template"), filepath.Join(b.dir, "image"), filepath.Join(b.dir, "mnt")
	return errors.Join(os.Mkdir(b.mnt, 0o700), b.kind.format(b.template))
}

// crashes runs a program on a new file system, and hands what is left after each
// number of steps to found.
func (r round) crashes(b *bench, p Program, rng *rand.Rand, found func(done int, state *faultfs.Disk) error) error {
	if r.ending == copied {
		return r.copies(b, p, rng, found)
	}
	for done := range len(p.Steps) + 1 {
		v, err := b.prepare(p)
		if err != nil {
			return err
		}
		err = p.Run(v.fs(), done, func(i int) error { return v.nudge(p, i, r.draw(rng)) })
		if err == nil {
			err = v.shutDown(r.ending)
		}
		if err = errors.Join(err, v.unmount()); err != nil {
			return err
		}
		state, err := b.observe(b.image)
		if err == nil {
			err = found(done, state)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copies runs the program once, copies the device after each step, and looks at
// the copies afterwards: two file systems that are the same one to the kernel
// are never mounted at once.
func (r round) copies(b *bench, p Program, rng *rand.Rand, found func(int, *faultfs.Disk) error) error {
	v, err := b.prepare(p)
	if err != nil {
		return err
	}
	name := func(done int) string { return filepath.Join(b.dir, fmt.Sprint("copy", done)) }
	err = p.Run(v.fs(), len(p.Steps), func(done int) error {
		if err := v.nudge(p, done, r.draw(rng)); err != nil {
			return err
		}
		return v.snapshot(b.image, name(done))
	})
	if err = errors.Join(err, v.drop()); err != nil {
		return err
	}
	for done := range len(p.Steps) + 1 {
		state, err := b.observe(name(done))
		if err == nil {
			err = found(done, state)
		}
		if err = errors.Join(err, os.Remove(name(done))); err != nil {
			return fmt.Errorf("%q after %d steps: %w", p.Name, done, err)
		}
	}
	return nil
}

func (r round) draw(rng *rand.Rand) nudge {
	if r.always == nudges {
		return nudge(rng.IntN(int(nudges)))
	}
	return r.always
}

// home is the directory that programs run in.
const home = "home"

// fs is the file system as the program sees it.
func (v *volume) fs() afero.Fs {
	return afero.NewBasePathFs(afero.NewOsFs(), filepath.Join(v.dir, home))
}

// prepare mounts a copy of the template in which the setup is durable.
func (b *bench) prepare(p Program) (*volume, error) {
	if err := copySparse(b.template, b.image); err != nil {
		return nil, err
	}
	v, err := b.kind.mount(b.image, b.mnt)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		os.Mkdir(filepath.Join(b.mnt, home), 0o755),
		os.WriteFile(filepath.Join(b.mnt, "bystander"), nil, 0o644),
		p.Prepare(v.fs()), v.syncAll())
	if err != nil {
		return nil, errors.Join(err, v.unmount())
	}
	return v, nil
}

// on calls do with the descriptor of a file or directory of the volume.
func (v *volume) on(name string, flag int, do func(fd int) error) error {
	f, err := os.OpenFile(filepath.Join(v.dir, name), flag, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return do(int(f.Fd()))
}

func (v *volume) syncAll() error { return v.on(".", os.O_RDONLY, unix.Syncfs) }

// nudge does what happens beside the program after its first done steps.
func (v *volume) nudge(p Program, done int, n nudge) error {
	if done > 0 && p.Steps[done-1].Op == Writeback {
		s := p.Steps[done-1]
		if s.N == 0 { // which the kernel would take for the whole file
			return nil
		}
		return v.writeback(filepath.Join(home, s.Name), s.Off, s.N)
	}
	switch n {
	case data:
		return v.eachFile(func(name string, size int64) error { return v.writeback(name, 0, size) })
	case oddPages:
		return v.eachFile(func(name string, size int64) error {
			for at := int64(faultfs.PageBytes); at < size; at += 2 * faultfs.PageBytes {
				if err := v.writeback(name, at, faultfs.PageBytes); err != nil {
					return err
				}
			}
			return nil
		})
	case bystander:
		return v.on("bystander", os.O_WRONLY|os.O_APPEND, func(fd int) error {
			if _, err := unix.Write(fd, []byte{'.'}); err != nil {
				return err
			}
			return unix.Fsync(fd)
		})
	}
	return nil
}

// writeback makes the kernel write the pages of a range now, and nothing else.
func (v *volume) writeback(name string, off, n int64) error {
	return v.on(name, os.O_RDWR, func(fd int) error {
		const now = unix.SYNC_FILE_RANGE_WAIT_BEFORE | unix.SYNC_FILE_RANGE_WRITE | unix.SYNC_FILE_RANGE_WAIT_AFTER
		return unix.SyncFileRange(fd, off, n, now)
	})
}

func (v *volume) eachFile(do func(name string, size int64) error) error {
	return filepath.WalkDir(filepath.Join(v.dir, home), func(path string, e iofs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(v.dir, path)
		if err != nil || info.Size() == 0 {
			return err
		}
		return do(name, info.Size())
	})
}

// errNoShutdown is returned by a file system that cannot be shut down.
var errNoShutdown = errors.New("this file system has no shutdown")

func (v *volume) shutDown(e ending) error {
	flags := noLogFlush
	if e == shutDownLogged {
		flags = logFlush
	}
	err := v.on(".", os.O_RDONLY, func(fd int) error { return unix.IoctlSetPointerInt(fd, shutdownIoctl, flags) })
	if errors.Is(err, unix.ENOTTY) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL) {
		return errNoShutdown
	}
	return err
}

// observe starts the machine again: it mounts an image, and reads what the
// recovery of the file system has made of the program's files.
func (b *bench) observe(image string) (*faultfs.Disk, error) {
	v, err := b.kind.mount(image, b.mnt)
	if err != nil {
		return nil, err
	}
	disk, err := faultfs.ReadDisk(afero.NewOsFs(), filepath.Join(b.mnt, home))
	return disk, errors.Join(err, v.drop())
}
