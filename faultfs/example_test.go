package faultfs_test

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/spf13/afero"

	"holdfast/faultfs"
)

func Example() {
	fsys := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write *.log #2 tear=3 EIO")...)
	f, _ := fsys.Create("/app.log")
	for _, line := range []string{"first\n", "second\n", "third\n"} {
		n, err := f.Write([]byte(line))
		fmt.Println(n, errors.Is(err, syscall.EIO))
	}
	fmt.Print(fsys.Fired())
	// Output:
	// 6 false
	// 3 true
	// 6 false
	// write *.log #2 tear=3 EIO: call 2: write /app.log
}

// A sweep fails the first call, then the second, and so on until a run meets
// no fault. Here the run is one WriteFile: create, write and close.
func Example_sweep() {
	for n := 1; ; n++ {
		fsys := faultfs.New(afero.NewMemMapFs())
		fault := fsys.Inject(faultfs.Rule{Op: faultfs.OpAny, N: n, Err: syscall.EIO})
		err := afero.WriteFile(fsys, "/a", []byte("x"), 0o644)
		if fault.Fired() == 0 {
			fmt.Println(n, "calls and no fault:", err)
			break
		}
		fmt.Print(fsys.Fired())
	}
	// Output:
	// any * #1 EIO: call 1: create /a
	// any * #2 EIO: call 2: write /a
	// any * #3 EIO: call 3: close /a
	// 4 calls and no fault: <nil>
}

// A power cut takes what was not synced. What is left is found through a new layer over the same base.
func ExampleNewVolatile() {
	base := afero.NewMemMapFs()
	disk := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	f, _ := disk.Create("/log")
	_, _ = f.WriteString("synced, ")
	fmt.Println(f.Sync(), faultfs.SyncDir(disk, "/")) // the data, and the name
	_, _ = f.WriteString("not synced")

	lost, err := disk.Crash(1, faultfs.KeepNothing)
	fmt.Println(lost.Bytes > 0, err)
	_, err = f.WriteString("too late")
	fmt.Println(errors.Is(err, faultfs.ErrCrashed))

	reopened := faultfs.NewVolatile(base, faultfs.VolatileOptions{})
	text, err := afero.ReadFile(reopened, "/log")
	fmt.Printf("%q %v\n", text, err)
	// Output:
	// <nil> <nil>
	// true <nil>
	// true
	// "synced, " <nil>
}

func ExampleInjection_SetQuota() {
	fsys := faultfs.New(afero.NewMemMapFs())
	disk := fsys.Inject(faultfs.Rule{Op: faultfs.OpWrite, Quota: 4})
	f, _ := fsys.Create("/a")
	n, err := f.Write([]byte("123456"))
	fmt.Println(n, err)
	disk.SetQuota(100)
	n, err = f.Write([]byte("56"))
	fmt.Println(n, err)
	// Output:
	// 4 write /a: no space left on device
	// 2 <nil>
}
