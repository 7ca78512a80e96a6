package chaos

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func openLog(t *testing.T) *serverLog {
	t.Helper()
	l, err := newServerLog(filepath.Join(t.TempDir(), "server.log"))
	require.NoError(t, err)
	return l
}

const startLines = `{"msg":"recovering","dir":"x"}
goroutine 1 [running]:
{"msg":"serving","addr":"127.0.0.1:1234"}
{"msg":"serving","addr":"127.0.0.1:9"}
the last words`

func TestServerLogPicksOutTheStart(t *testing.T) {
	for _, pieceBytes := range []int{1, 7, 30, 1000} {
		l := openLog(t)
		for rest := startLines; rest != ""; {
			n := min(pieceBytes, len(rest))
			wrote, err := l.Write([]byte(rest[:n]))
			require.NoError(t, err)
			require.Equal(t, n, wrote)
			rest = rest[n:]
		}
		<-l.recovering
		<-l.serving
		recoveringAt, servingAt, addr := l.start()
		require.False(t, servingAt.Before(recoveringAt))
		require.Equal(t, "127.0.0.1:1234", addr, "the first word counts")
		require.NoError(t, l.Close())
		require.Equal(t, strings.Split(startLines, "\n"), l.lastLines())
		text, err := os.ReadFile(l.path)
		require.NoError(t, err)
		require.Equal(t, startLines, string(text))
	}
}

func TestServerLogBoundsWhatItKeeps(t *testing.T) {
	l := openLog(t)
	for range 3 * logTailLines {
		_, err := l.Write([]byte("line\n"))
		require.NoError(t, err)
	}
	require.Len(t, l.lastLines(), logTailLines)
	long := strings.Repeat("x", 5*maxLineBytes)
	_, err := l.Write([]byte(long))
	require.NoError(t, err)
	_, err = l.Write([]byte(long + "\n" + startLines))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	<-l.serving // found although a long line came before it
	for _, line := range l.lastLines() {
		require.LessOrEqual(t, len(line), maxLineBytes)
	}
	info, err := os.Stat(l.path)
	require.NoError(t, err)
	require.EqualValues(t, 3*logTailLines*5+len(long)*2+1+len(startLines), info.Size(), "the file has it all")
}

// A log that cannot be written must not take the server down with it.
func TestServerLogSwallowsItsErrorsUntilTheEnd(t *testing.T) {
	l := openLog(t)
	require.NoError(t, l.file.Close())
	n, err := l.Write([]byte(startLines))
	require.NoError(t, err)
	require.Equal(t, len(startLines), n)
	<-l.serving
	require.ErrorContains(t, l.Close(), "write the server's log")

	_, err = newServerLog(filepath.Join(t.TempDir(), "no", "such", "dir"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOnlyAKillBetweenTheTwoWordsIsOneInRecovery(t *testing.T) {
	for text, want := range map[string]bool{
		"":                     false,
		"{}":                   false,
		`{"msg":"recovering"}`: true,
		`{"msg":"serving"}`:    false,
		startLines:             false,
		"panic\n" + `{"msg":"recovering"}` + "\n" + `{"msg":"recovered"}`: true,
	} {
		l := openLog(t)
		_, err := l.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, l.Close())
		require.Equal(t, want, l.endsInRecovery(), text)
	}
}
