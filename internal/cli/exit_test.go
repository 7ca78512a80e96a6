package cli

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/client"
	"holdfast/kv"
)

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{errors.New("anything else"), 1},
		{notFound("k"), 1},
		{client.ErrTimeout, 1},
		{usageError{errors.New("bad flag")}, 2},
		{&client.Error{Outcome: client.Failed, Err: fmt.Errorf("%w: %w", client.ErrConnect, client.ErrTimeout)}, 3},
		{&client.Error{Outcome: client.Unknown, Err: client.ErrConnLost}, 5},
		{&client.Error{Outcome: client.Unknown, Status: 64, Err: errors.New("sync failed")}, 5},
		{&client.Error{Outcome: client.Failed, Status: 50, Err: errors.New("damaged")}, 6},
		{&kv.DamageError{File: "000001.seg"}, 6},
		{errLoss, 6},
		{errBroken, 6},
		{kv.ErrLocked, 7},
		{kv.ErrFenced, 8},
		{&client.Error{Outcome: client.Failed, Status: 49, Err: errors.New("fenced")}, 8},
		{kv.ErrFormatTooNew, 9},
	} {
		require.Equal(t, tt.want, exitCode(tt.err), "%v", tt.err)
		require.Equal(t, tt.want, exitCode(fmt.Errorf("wrapped: %w", tt.err)), "%v", tt.err)
	}
}

func TestUsageErrorsExitTwoAndSayWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "expected one of"},
		{[]string{"frobnicate"}, "unexpected argument frobnicate"},
		{[]string{"get"}, `expected "<key>"`},
		{[]string{"get", "a", "b"}, "unexpected argument b"},
		{[]string{"get", "a", "--nope"}, "unknown flag --nope"},
		{[]string{"get", "zz", "--hex"}, "key: encoding/hex"},
		{[]string{"get", "a", "--hex", "--base64"}, "can't be used together"},
		{[]string{"get", "a", "--addr", "nowhere"}, "server address"},
		{[]string{"get", "a", "--timeout=-1s"}, "Timeout"},
		{[]string{"set", "a"}, "either a VALUE or a --file"},
		{[]string{"set", "a", "b", "--file", "c"}, "either a VALUE or a --file"},
		{[]string{"set", "YQ==", "!", "--base64"}, "value: illegal base64"},
		{[]string{"keys", "--limit=-1"}, "--limit is -1"},
		{[]string{"keys", "--start", "x", "--hex"}, "--start: encoding/hex"},
		{[]string{"bulk-set", "--batch=-1"}, "--batch is -1"},
		{[]string{"bulk-set", "--format", "csv"}, "--format"},
		{[]string{"check"}, `expected "<dir>"`},
		{[]string{"serve"}, "missing flags: --data"},
		{[]string{"serve", "--data", "d", "--sync", "sometimes"}, "sometimes"},
		{[]string{"serve", "--data", "d", "--max-conns", "0"}, "--max-conns"},
		{[]string{"serve", "--data", "d", "--drain-timeout", "0s"}, "--drain-timeout"},
		{[]string{"serve", "--data", "d", "--log-level", "loud"}, "--log-level"},
		{[]string{"serve", "--data", "d", "--log-format", "xml"}, "--log-format"},
		{[]string{"serve", "--data", "d", "--max-frame", "1KiB"}, "MaxFrameBytes"},
		{[]string{"serve", "--data", "d", "--segment-size", "1KiB"}, "SegmentBytes"},
	} {
		w := newWorld(tt.args...)
		require.Equal(t, exitUsage, w.run(), "%v: %s", tt.args, &w.err)
		require.Contains(t, w.err.String(), tt.want, "%v", tt.args)
		require.Contains(t, w.err.String(), "--help", "%v", tt.args)
		require.Empty(t, w.out.String(), "%v", tt.args)
	}
}

// Every command explains itself, and says by which variable each of its flags can be given.
func TestHelp(t *testing.T) {
	for _, command := range []string{"", "serve", "set", "get", "delete", "exists", "keys", "bulk-set", "check", "chaos", "explore", "bench", "bench engine", "bench server", "version"} {
		args := []string{"--help"}
		if command != "" {
			args = append(strings.Fields(command), "--help")
		}
		w := newWorld(args...)
		require.Equal(t, exitOK, w.run(), command)
		require.Contains(t, w.out.String(), "Usage: holdfast "+command)
		require.Contains(t, w.out.String(), "HOLDFAST_CONFIG")
		require.Empty(t, w.err.String())
	}
}
