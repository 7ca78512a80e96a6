package chaos

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// runnerMain is a campaign that does nothing but load until somebody kills it.
func runnerMain(args []string) error {
	_, err := Run(context.Background(), Config{
		Server: []string{os.Args[0]}, Env: []string{roleVar + "=fake"}, ReportDir: args[0],
		Duration: time.Hour, KillEvery: time.Hour, Writers: 1, Keys: 1, Readers: -1,
	})
	return err
}

// startFake starts the fake server, possibly behind a wrapper, and returns a connection to it.
func startFake(t *testing.T, wrapper ...string) (*process, net.Conn) {
	t.Helper()
	dir := t.TempDir()
	argv := append(wrapper, os.Args[0], "--data", dir, "--addr", "127.0.0.1:0")
	p, err := startProcess(argv, []string{roleVar + "=fake"}, filepath.Join(dir, "log"), false)
	require.NoError(t, err)
	t.Cleanup(p.killAndWait)
	select {
	case <-p.log.serving:
	case <-p.done:
		require.Fail(t, "the server ended", "%s: %s", p.ending(), p.log.lastLines())
	}
	_, _, addr := p.log.start()
	return p, connect(t, addr)
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// requireDead waits until the process at the other end of conn is gone.
func requireDead(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it still lives")
}

func TestKillEndsTheProcess(t *testing.T) {
	p, conn := startFake(t)
	require.False(t, p.exited())
	p.killAndWait()
	require.True(t, p.exited())
	require.False(t, p.quit(), p.ending())
	requireDead(t, conn)
	p.kill() // once more does nothing
}

// A server started by a script dies with the script.
func TestKillReachesBehindAWrapper(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	p, conn := startFake(t, sh, "-c", `"$@"; true`, "wrapper")
	p.killAndWait()
	require.False(t, p.quit(), p.ending())
	requireDead(t, conn)
}

// quitter is a process that ended by itself.
func quitter(t *testing.T) *process {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := startProcess([]string{os.Args[0]}, []string{roleVar + "=nobody"}, log, false)
	require.NoError(t, err)
	<-p.done
	return p
}

func TestProcessThatQuitsIsToldFromOneKilled(t *testing.T) {
	p := quitter(t)
	require.True(t, p.quit())
	require.Equal(t, "exit status 2", p.ending())
	require.Equal(t, []string{`no such role: "nobody"`}, p.log.lastLines())
	p.killAndWait()
}

func TestProcessThatCannotStart(t *testing.T) {
	dir := t.TempDir()
	_, err := startProcess([]string{filepath.Join(dir, "none")}, nil, filepath.Join(dir, "log"), false)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = startProcess([]string{os.Args[0]}, nil, filepath.Join(dir, "no", "log"), false)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// When the campaign itself is killed, its server does not live on.
func TestServerDiesWithTheCampaign(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a signal on the death of the parent, which only Linux has")
	}
	dir := t.TempDir()
	runner := exec.Command(os.Args[0], dir)
	runner.Env = append(os.Environ(), roleVar+"=runner")
	require.NoError(t, runner.Start())
	defer runner.Wait()
	defer runner.Process.Kill()
	conn := connect(t, servingAddr(t, filepath.Join(dir, "logs", "server-0001.log")))
	require.NoError(t, runner.Process.Kill())
	requireDead(t, conn)
}

// servingAddr waits until the log of somebody else's server says where it serves.
func servingAddr(t *testing.T, logFile string) (addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(logFile)
		_, after, found := strings.Cut(string(text), `"addr":"`)
		addr, _, _ = strings.Cut(after, `"`)
		return found && strings.HasSuffix(string(text), "\n")
	}, 20*time.Second, 5*time.Millisecond)
	return addr
}
