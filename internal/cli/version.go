package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"holdfast/client"
	"holdfast/kv"
)

type versionCmd struct {
	JSON bool `help:"Print a JSON object."`
}

// versionInfo is what version reports.
type versionInfo struct {
	Version  string `json:"version"`  // of the module; "(devel)" for a build from a checkout
	Revision string `json:"revision"` // of the checkout; "" when unknown
	Modified bool   `json:"modified"` // the checkout had uncommitted changes
	Time     string `json:"time"`     // of the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Protocol int    `json:"protocol"`
	Format   int    `json:"format"` // of the files on disk
}

// Run prints what this program is made of.
func (cmd *versionCmd) Run(env *Env) error {
	v := newVersionInfo(debug.ReadBuildInfo())
	if cmd.JSON {
		return printJSON(env.Stdout, v)
	}
	revision := v.Revision
	switch {
	case revision == "":
		revision = "unknown"
	case v.Modified:
		revision += " with uncommitted changes"
	}
	_, err := fmt.Fprintf(env.Stdout, "holdfast %s\nrevision  %s %s\ngo        %s %s\nprotocol  %d\nformat    %d\n",
		v.Version, revision, v.Time, v.Go, v.Platform, v.Protocol, v.Format)
	return err
}

func newVersionInfo(build *debug.BuildInfo, ok bool) versionInfo {
	v := versionInfo{
		Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Protocol: client.ProtocolVersion, Format: kv.FormatVersion,
	}
	if !ok {
		return v
	}
	v.Version = build.Main.Version
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
