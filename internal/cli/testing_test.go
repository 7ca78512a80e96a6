package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/internal/testdisk"
)

var testingFlagSets = map[string][]string{
	"--testing-volatile": {"--testing-volatile"},
	"--testing-rules":    {"--testing-rules", "sync * EIO"},
	"--testing-pending":  {"--testing-pending", "file"},
	"--testing-control":  {"--testing-control"},
}

func TestTestingFlagsNeedTesting(t *testing.T) {
	for flag, args := range testingFlagSets {
		w := newWorld(append([]string{"serve", "--data", "data"}, args...)...)
		require.Equal(t, exitUsage, w.run(), flag)
		require.Contains(t, w.err.String(), "lose data on purpose, for tests: give --testing too if you mean "+flag)
		there, err := afero.Exists(w.FS, "data")
		require.NoError(t, err)
		require.False(t, there)
	}
}

func TestTestingFlagsThatMakeNoSense(t *testing.T) {
	for want, args := range map[string][]string{
		"--testing-rules":          {"--testing-rules", "melt * EIO"},
		"needs the volatile layer": {"--testing-pending", "file"},
		"crash":                    {"--testing-rules", "sync * crash"},
	} {
		w := newWorld(append([]string{"serve", "--data", "data", "--testing"}, args...)...)
		require.Equal(t, exitUsage, w.run(), want)
		require.Contains(t, w.err.String(), want)
	}
	w := newWorld("serve", "--data", "data", "--testing", "--testing-volatile", "--testing-pending", "file")
	w.FS = afero.NewReadOnlyFs(w.FS)
	require.Equal(t, exitFailure, w.run(), "a disk that fails by itself is no usage error")
	require.Contains(t, w.err.String(), "create the pending file")
}

// What makes a server lose data is asked for where it is started, or not at all.
func TestTestingFlagsAreForTheCommandLineOnly(t *testing.T) {
	w := newWorld("serve", "--data", "data")
	w.Environ = []string{
		"HOLDFAST_TESTING=true", "HOLDFAST_TESTING_VOLATILE=true", "HOLDFAST_TESTING_RULES=sync * EIO",
		"HOLDFAST_TESTING_PENDING=file", "HOLDFAST_TESTING_CONTROL=true",
	}
	g, err := parsed(w)
	require.NoError(t, err)
	require.Equal(t, testingFlags{}, g.Serve.testingFlags)

	for _, key := range []string{"testing", "testing-volatile", "testing-rules", "testing-pending", "testing-control"} {
		w := withFile(t, newWorld("serve", "--data", "data", "--config", "holdfast.json"), `{"`+key+`": "true"}`)
		_, err := parsed(w)
		require.ErrorContains(t, err, `unknown key "`+key+`"`)
	}

	help := newWorld("serve", "--help")
	require.Equal(t, exitOK, help.run())
	require.Contains(t, help.out.String(), "--testing-volatile")
	require.NotContains(t, help.out.String(), "HOLDFAST_TESTING")
}

// Without the flags the server runs on the file system that it is given, and on nothing in between.
func TestProductionServerHasTheDiskItself(t *testing.T) {
	w := newWorld()
	for _, flags := range []testingFlags{{}, {Testing: true}} {
		fsys, closeDisk, err := flags.disk(&w.Env, nil)
		require.NoError(t, err)
		require.Same(t, w.FS, fsys)
		require.NoError(t, closeDisk(nil))
	}
}

// testServer is "serve" with faults, in this process, and a hand on its input and log.
type testServer struct {
	t       *testing.T
	dir     string
	addr    string
	input   *io.PipeWriter
	log     chan string // its lines; closed at the end
	warning string      // the lines before "serving"
	stop    func() int
}

func startTestServer(t *testing.T, args ...string) *testServer {
	t.Helper()
	s := &testServer{t: t, dir: t.TempDir()}
	stdin, input := io.Pipe()
	log, logTo := io.Pipe()
	s.input, s.log = input, make(chan string, 1000)
	w := newWorld(append([]string{"serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(s.dir, "data"), "--testing"}, args...)...)
	w.FS, w.Stdin, w.Stderr = afero.NewOsFs(), stdin, logTo
	ctx, cancel := context.WithCancel(ctx)
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, w.Env)
		logTo.Close()
	}()
	go func() {
		for lines := bufio.NewScanner(log); lines.Scan(); {
			s.log <- lines.Text()
		}
		close(s.log)
	}()
	s.stop = func() int {
		cancel()
		input.Close()
		for range s.log { // until it ends
		}
		return <-code
	}
	for s.addr == "" {
		text, more := <-s.log
		require.True(t, more, "the server ended: %s", s.warning)
		s.warning += text + "\n"
		var line struct{ Msg, Addr string }
		require.NoError(t, json.Unmarshal([]byte(text), &line))
		s.addr = line.Addr
	}
	return s
}

// command sends a command and returns the answer to it.
func (s *testServer) command(line string) testdisk.Line {
	s.t.Helper()
	go io.WriteString(s.input, line+"\n")
	for text := range s.log {
		if answer, ok := testdisk.ParseLine([]byte(text)); ok {
			return answer
		}
	}
	s.t.Fatal("the log ended without an answer")
	return testdisk.Line{}
}

func (s *testServer) client(args ...string) (code int, errOut string) {
	w := newWorld(append([]string{args[0], "--addr", s.addr}, args[1:]...)...)
	return w.run(), w.err.String()
}

func TestTestingServerSaysSoLoudly(t *testing.T) {
	s := startTestServer(t, "--testing-volatile", "--testing-rules", "sync nothing EIO", "--testing-control")
	require.Contains(t, s.warning, `"level":"WARN","msg":"TESTING: data will be lost on purpose"`)
	require.Contains(t, s.warning, `["--testing-volatile","--testing-rules","--testing-control"]`)
	require.Contains(t, s.warning, "sync nothing EIO")
	require.Equal(t, exitOK, s.stop())

	var log strings.Builder
	w := newWorld("serve", "--addr", "nowhere:0:0", "--data", "data", "--log-level", "error", "--testing", "--testing-volatile")
	w.Stderr = &log
	require.Equal(t, exitFailure, w.run())
	require.Contains(t, log.String(), "TESTING", "no log level hides it")
}

func TestServerTakesFaultsWhileItServes(t *testing.T) {
	s := startTestServer(t, "--testing-control")
	code, _ := s.client("set", "k", "1")
	require.Equal(t, exitOK, code)
	require.Contains(t, s.command("who goes there?").Error, "no command")
	require.Empty(t, s.command(testdisk.Inject("write *.seg ENOSPC")).Error)
	code, errOut := s.client("set", "k", "2")
	require.Equal(t, exitFailure, code)
	require.Contains(t, errOut, "disk full")
	code, _ = s.client("get", "k")
	require.Equal(t, exitOK, code)
	rules := s.command(testdisk.Heal()).Rules
	require.Len(t, rules, 1)
	require.Positive(t, rules[0].Fired)
	require.NoError(t, s.input.Close())
	code, errOut = s.client("set", "k", "3")
	require.Equal(t, exitOK, code, "the end of the input is not that of the server: %s", errOut)
	require.Equal(t, exitOK, s.stop())
}
