package litmus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/faultfs"
)

// kind is a file system that programs run on.
type kind struct {
	name    string
	profile faultfs.Profile
	mib     int64    // the size of the image, which is sparse
	mkfs    []string // the command, but for the image
	env     []string
	options string // of the mount
}

var kinds = []kind{
	{name: "ext4", profile: faultfs.Ext4, mib: 32,
		// Nothing is left to be initialized by a thread that writes while programs run.
		mkfs: []string{"mkfs.ext4", "-q", "-F", "-b", "4096", "-J", "size=4", "-E", "lazy_itable_init=0,lazy_journal_init=0"}},
	{name: "xfs", profile: faultfs.XFS, mib: 64,
		mkfs: []string{"mkfs.xfs", "-q", "-f"},
		// With these three, which its own tests set, it makes file systems under 300 MiB.
		env: []string{"TEST_DIR=/none", "TEST_DEV=/none", "QA_CHECK_FS=1"}},
	{name: "btrfs", profile: faultfs.Btrfs, mib: 110,
		mkfs: []string{"mkfs.btrfs", "-q", "-f", "-m", "single"}, options: "nodiscard"},
}

// privateMounts gives the calling goroutine mounts of its own, which end with
// its thread however the test ends.
func privateMounts() error {
	// Never unlocked: a thread with other mounts must not go back to the runtime.
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS)
	if err == nil {
		err = unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}
	if err != nil {
		return fmt.Errorf("making mounts of its own: %w", err)
	}
	return nil
}

// need skips the test where the file system cannot be made or mounted.
func (k kind) need(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("mounts file systems hundreds of times")
	}
	if os.Getuid() != 0 {
		t.Skip("litmus programs need root, to mount file systems on loop devices")
	}
	if _, err := exec.LookPath(k.mkfs[0]); err != nil {
		t.Skipf("litmus programs on %s need %s: install e2fsprogs, xfsprogs and btrfs-progs", k.name, k.mkfs[0])
	}
	dir := t.TempDir()
	done := make(chan error)
	go func() {
		err := privateMounts()
		if err == nil {
			err = k.try(dir)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Skipf("litmus programs need mounts of their own, loop devices and a kernel with %s: %v", k.name, err)
	}
}

// try makes a file system in dir, and mounts it.
func (k kind) try(dir string) error {
	image, mnt := filepath.Join(dir, "image"), filepath.Join(dir, "mnt")
	err := errors.Join(os.Mkdir(mnt, 0o700), k.format(image))
	if err != nil {
		return err
	}
	v, err := k.mount(image, mnt)
	if err != nil {
		return err
	}
	return v.unmount()
}

// format makes an empty file system in a new image.
func (k kind) format(image string) error {
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(image, k.mib<<20); err != nil {
		return err
	}
	cmd := exec.Command(k.mkfs[0], append(k.mkfs[1:len(k.mkfs):len(k.mkfs)], image)...)
	cmd.Env = append(os.Environ(), k.env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", k.mkfs[0], err, out)
	}
	return nil
}

// volume is a mounted file system.
type volume struct {
	dir  string
	loop string // the name of its device
}

// mount mounts an image on dir. The loop device goes with the mount.
func (k kind) mount(image, dir string) (*volume, error) {
	dev, err := attach(image)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	if err := unix.Mount(dev.Name(), dir, k.name, 0, k.options); err != nil {
		return nil, fmt.Errorf("mounting %s: %w", k.name, err)
	}
	return &volume{dir, filepath.Base(dev.Name())}, nil
}

// drop unmounts a file system of which nothing is needed any more. One that was
// shut down has less to write.
func (v *volume) drop() error {
	if err := v.shutDown(shutDown); err != nil && !errors.Is(err, errNoShutdown) {
		return errors.Join(err, v.unmount())
	}
	return v.unmount()
}

func (v *volume) unmount() error {
	err := unix.Unmount(v.dir, 0)
	if err != nil {
		_ = unix.Unmount(v.dir, unix.MNT_DETACH)
		return fmt.Errorf("unmounting %s: %w", v.loop, err)
	}
	return nil
}

// attach makes a loop device of an image, which goes with its last user.
func attach(image string) (*os.File, error) {
	file, err := os.OpenFile(image, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for range 50 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("looking for a free loop device: %w", err)
		}
		dev, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file.Fd()), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		if err = unix.IoctlLoopConfigure(int(dev.Fd()), &config); err == nil {
			return dev, nil
		}
		_ = dev.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was faster
			return nil, fmt.Errorf("setting up %s: %w", dev.Name(), err)
		}
	}
	return nil, errors.New("no loop device stays free")
}

// written returns what the kernel counts of the writes to the device, and
// whether none is under way.
func (v *volume) written() (count string, idle bool, err error) {
	b, err := os.ReadFile("/sys/block/" + v.loop + "/stat")
	if err != nil {
		return "", false, err
	}
	f := strings.Fields(string(b))
	if len(f) < 9 {
		return "", false, fmt.Errorf("%s: %q is too short", v.loop, b)
	}
	return f[4] + " " + f[6], f[8] == "0", nil
}

// snapshot copies what is on the device of v at one moment: again if something
// was written meanwhile.
func (v *volume) snapshot(image, to string) error {
	for range 50 {
		before, idle, err := v.written()
		if err != nil {
			return err
		}
		if err := copySparse(image, to); err != nil {
			return err
		}
		after, stillIdle, err := v.written()
		if err != nil {
			return err
		}
		if idle && stillIdle && before == after {
			return nil
		}
	}
	return fmt.Errorf("%s is never idle", v.loop)
}

// copySparse copies a file, but for its holes.
func copySparse(from, to string) (err error) {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dst.Close()) }()
	info, err := src.Stat()
	if err == nil {
		err = dst.Truncate(info.Size())
	}
	for at := int64(0); err == nil && at < info.Size(); {
		var end int64
		at, err = src.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err == nil {
			end, err = src.Seek(at, unix.SEEK_HOLE)
		}
		if err == nil {
			_, err = io.Copy(io.NewOffsetWriter(dst, at), io.NewSectionReader(src, at, end-at))
		}
		at = end
	}
	return err
}
