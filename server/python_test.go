package server

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAClientInAnotherLanguage runs the Python client, which knows docs/PROTOCOL.md and nothing
// else, through testdata/python_client.py.
func TestAClientInAnotherLanguage(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: the example client is not tested")
	}
	s, g := serveGated(t, Config{linger: briefly})
	_, port, err := net.SplitHostPort(s.addr)
	require.NoError(t, err)

	examples, err := filepath.Abs(filepath.Join("..", "examples", "python"))
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "-B", filepath.Join("testdata", "python_client.py"), port)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+examples)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	does := map[string]func(){
		"cut the connection off": func() {
			require.Equal(t, "held", g.next(t))
			s.srv.each(func(c *conn) { c.abort(errors.New("the test wants it")) })
		},
		"stop the server": func() {
			g.open()
			s.stop()
			<-s.ended
		},
		"done": func() {},
	}
	var said []string
	for words := bufio.NewScanner(out); words.Scan(); {
		said = append(said, words.Text())
		require.Contains(t, does, words.Text())
		does[words.Text()]()
		_, _ = io.WriteString(in, "\n") // nobody reads it after "done"
	}
	require.NoError(t, cmd.Wait(), "%s", &stderr)
	require.Equal(t, []string{"cut the connection off", "stop the server", "done"}, said)
}
