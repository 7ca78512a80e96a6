package faultfs_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/afero"

	"holdfast/faultfs"
)

// A program keeps its settings in one file, and replaces it the way that most
// programs do: write another file, rename it over the old one. After a crash
// there must be old settings or new ones.
func ExampleExplore() {
	save := func(fsys afero.Fs, settings string) {
		_ = afero.WriteFile(fsys, "/settings.tmp", []byte(settings), 0o666)
		_ = fsys.Rename("/settings.tmp", "/settings")
	}
	program := faultfs.Subject{
		Name:  "settings",
		Words: []string{"save"},
		Load: func(r *faultfs.Run, plan []string) error {
			for range plan {
				r.Step()
				save(r.FS(), "colour=blue")
				r.Note("saved")
			}
			return nil
		},
		Recover: func(r *faultfs.Run) {
			b, _ := afero.ReadFile(r.FS(), "/settings")
			r.Note("read " + string(b))
		},
		Judge: func(lives []faultfs.Life) error {
			saved := false
			for _, l := range lives {
				for _, e := range l.Events {
					read, ok := strings.CutPrefix(e.(string), "read ")
					saved = saved || !ok
					if ok && read != "colour=blue" && (saved || read != "") {
						return fmt.Errorf("the settings are %q", read)
					}
				}
			}
			return nil
		},
	}
	plans := func(yield func([]string) bool) { yield([]string{"save", "save"}) }

	e, err := faultfs.Explore(context.Background(), program, faultfs.ExploreOptions{Plans: plans})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range e.Violations {
		fmt.Println(v.Reason)
		fmt.Println(v.Replay, "on", v.Profiles)
		fmt.Println(strings.Join(v.Crashes[0].Calls, "\n"))
	}
	// Output:
	// the settings are ""
	// settings/weak/save/3.0 on [weak ext4 xfs btrfs]
	// create /settings.tmp
	// write /settings.tmp 0+11
	// rename /settings.tmp /settings
}
