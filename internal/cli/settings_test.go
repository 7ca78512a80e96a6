package cli

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/kv"
)

// parsed parses a command line without running it.
func parsed(w *world) (*grammar, error) {
	g := &grammar{}
	w.IsTerminal = isTerminal
	_, err := parse(ctx, &w.Env, g)
	return g, err
}

func withFile(t *testing.T, w *world, content string) *world {
	require.NoError(t, afero.WriteFile(w.FS, "holdfast.json", []byte(content), 0o600))
	return w
}

// Each source gives what no stronger one gives: flag, then environment, then file, then default.
func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	w := withFile(t, newWorld("serve", "--config", "holdfast.json", "--addr", "127.0.0.1:1"), `{
		"addr": "127.0.0.1:3", "data": "file", "sync": "300ms", "max-conns": 3, "log-format": "text"}`)
	w.Environ = []string{"HOLDFAST_ADDR=127.0.0.1:2", "HOLDFAST_DATA=environment", "HOLDFAST_SYNC=200ms", "OTHER=x"}
	g, err := parsed(w)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", g.Serve.Addr, "flag")
	require.Equal(t, "environment", g.Serve.Data, "environment, for a required flag")
	require.Equal(t, kv.SyncEvery(200*time.Millisecond), g.Serve.Sync, "environment")
	require.Equal(t, 3, g.Serve.MaxConns, "file, as a number")
	require.Equal(t, "text", g.Serve.LogFormat, "file, as a string")
	require.Equal(t, byteSize(10<<20), g.Serve.MaxFrame, "default")
}

func TestConfigMayBeNamedByTheEnvironment(t *testing.T) {
	w := withFile(t, newWorld("get", "k"), `{"addr": "127.0.0.1:3", "json": true, "sync": "1s"}`)
	w.Environ = []string{"HOLDFAST_CONFIG=missing.json", "HOLDFAST_CONFIG=holdfast.json", "HOLDFAST_TIMEOUT=7s"}
	g, err := parsed(w)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:3", g.Get.Addr)
	require.True(t, g.Get.JSON)
	require.Equal(t, 7*time.Second, g.Get.Timeout)
}

// The environment is the one handed in, not that of the process.
func TestProcessEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("HOLDFAST_ADDR", "127.0.0.1:9")
	g, err := parsed(newWorld("get", "k"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:65433", g.Get.Addr)
}

func TestBadSettingsAreUsageErrorsThatNameThem(t *testing.T) {
	for name, tt := range map[string]struct {
		file    string
		environ []string
		want    string
	}{
		"unknown key":       {file: `{"addr": "127.0.0.1:3", "adress": 1}`, want: `holdfast.json: unknown key "adress"`},
		"flag of the shell": {file: `{"config": "x"}`, want: `unknown key "config"`},
		"help":              {file: `{"help": true}`, want: `unknown key "help"`},
		"list":              {file: `{"addr": ["x"]}`, want: `key "addr" must be`},
		"null":              {file: `{"addr": null}`, want: `key "addr" must be`},
		"not an object":     {file: `["addr"]`, want: "JSON object is expected"},
		"two objects":       {file: `{} {}`, want: "something follows"},
		"cut short":         {file: `{"addr": "x"`, want: "unexpected EOF"},
		"bad value in file": {file: `{"timeout": "soon"}`, want: "--timeout"},
		"bad variable":      {file: `{}`, environ: []string{"HOLDFAST_TIMEOUT=soon"}, want: "--timeout"},
		"bad size":          {file: `{"max-frame": "10MB"}`, want: "10MB"},
	} {
		t.Run(name, func(t *testing.T) {
			w := withFile(t, newWorld("get", "k", "--config", "holdfast.json"), tt.file)
			w.Environ = tt.environ
			require.Equal(t, exitUsage, w.run())
			require.Contains(t, w.err.String(), tt.want)
			require.Empty(t, w.out.String())
		})
	}
}

func TestMissingConfigIsNamed(t *testing.T) {
	w := newWorld("get", "k", "--config", "none.json")
	require.Equal(t, exitUsage, w.run())
	require.Contains(t, w.err.String(), "none.json")
	_, err := parsed(w)
	require.True(t, errors.Is(err, os.ErrNotExist))
}

func TestByteSizes(t *testing.T) {
	for text, want := range map[string]byteSize{
		"1": 1, "65536": 65536, "7B": 7, "64KiB": 64 << 10, "10MiB": 10 << 20, "2GiB": 2 << 30,
	} {
		var b byteSize
		require.NoError(t, b.UnmarshalText([]byte(text)))
		require.Equal(t, want, b, text)
	}
	for _, text := range []string{"", "0", "-1", "KiB", "1.5MiB", "10 MiB", "10MB", "99999999999GiB"} {
		var b byteSize
		require.ErrorContains(t, b.UnmarshalText([]byte(text)), "not a size", text)
	}
}
