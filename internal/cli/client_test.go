package cli

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/client"
	"holdfast/internal/wire"
)

func TestSetGetDelete(t *testing.T) {
	s := newSession(t)
	require.Equal(t, "OK\n", s.ok("set", "greeting", "hello"))
	require.Equal(t, "hello", s.ok("get", "greeting"), "byte for byte, no newline")
	require.Equal(t, "exists\n", s.ok("exists", "greeting"))
	require.JSONEq(t, `{"key":"greeting","exists":true}`, s.ok("exists", "greeting", "--json"))
	require.JSONEq(t, `{"key":"greeting","value":"hello"}`, s.ok("get", "greeting", "--json"))
	require.Equal(t, "deleted\n", s.ok("delete", "greeting"))
	require.Equal(t, "OK\n", s.ok("set", "empty", ""))
	require.Equal(t, "", s.ok("get", "empty"))
	require.JSONEq(t, `{"key":"empty","value":""}`, s.ok("get", "empty", "--json"))
	require.JSONEq(t, `{"key":"empty","existed":true}`, s.ok("delete", "empty", "--json"))
}

func TestMissingKeyExitsOneAndIsNamed(t *testing.T) {
	s := newSession(t)
	for _, command := range []string{"get", "exists", "delete"} {
		out, errOut := s.do(exitFailure, nil, command, "nothing")
		require.Empty(t, out, command)
		require.Equal(t, "holdfast: key \"nothing\": not found\n", errOut, command)
	}
	out, _ := s.do(exitFailure, nil, "exists", "nothing", "--json")
	require.JSONEq(t, `{"key":"nothing","exists":false}`, out)
	out, _ = s.do(exitFailure, nil, "delete", "nothing", "--json")
	require.JSONEq(t, `{"key":"nothing","existed":false}`, out)
}

func TestGetAddsANewlineOnATerminalOnly(t *testing.T) {
	s := newSession(t)
	s.ok("set", "k", "v")
	w := newWorld("get", "k", "--addr", s.addr)
	w.IsTerminal = func(stream any) bool { return stream == w.Stdout }
	require.Equal(t, exitOK, w.run())
	require.Equal(t, "v\n", w.out.String())
}

func TestBinaryKeysAndValues(t *testing.T) {
	s := newSession(t)
	s.ok("set", "00ff0a", "fe00", "--hex")
	require.Equal(t, "fe00\n", s.ok("get", "00ff0a", "--hex"))
	require.Equal(t, "/gA=\n", s.ok("get", "AP8K", "--base64"))
	require.Equal(t, "\xfe\x00", s.ok("get", "\x00\xff\n"), "arguments and output are bytes, not text")
	require.Equal(t, "00ff0a\n", s.ok("keys", "--hex"))
	require.JSONEq(t, `{"keyBase64":"AP8K"}`, s.ok("keys", "--json"))
	require.JSONEq(t, `{"keyBase64":"AP8K","valueBase64":"/gA="}`, s.ok("get", "00ff0a", "--hex", "--json"))
	require.Equal(t, "00ff0a\n", s.ok("keys", "--hex", "--prefix", "00"))
	require.Empty(t, s.ok("keys", "--hex", "--start", "01"))
	require.Equal(t, "00ff0a\n", s.ok("keys", "--hex", "--start", "00ff0a"))
	s.ok("set", "k", "--", "-1")
	require.Equal(t, "-1", s.ok("get", "k"))
}

func TestValueFromFileAndStandardInput(t *testing.T) {
	s := newSession(t)
	value := bytes.Repeat([]byte{0, 1, 2, 0xff}, 50_000)
	require.NoError(t, afero.WriteFile(s.fs, "value.bin", value, 0o600))
	s.ok("set", "a", "--file", "value.bin")
	require.Equal(t, string(value), s.ok("get", "a"))

	out, _ := s.do(exitOK, strings.NewReader("from stdin\n"), "set", "b", "--file", "-")
	require.Equal(t, "OK\n", out)
	require.Equal(t, "from stdin\n", s.ok("get", "b"))

	_, errOut := s.do(exitFailure, nil, "set", "c", "--file", "none")
	require.Contains(t, errOut, "reading the value: open none")
}

func TestKeysInOrderAndInRange(t *testing.T) {
	s := newSession(t)
	for _, k := range []string{"b", "a2", "c", "a1"} {
		s.ok("set", k, "v")
	}
	require.Equal(t, "a1\na2\nb\nc\n", s.ok("keys"))
	require.Equal(t, "a1\na2\n", s.ok("keys", "--prefix", "a"))
	require.Equal(t, "a2\nb\n", s.ok("keys", "--start", "a2", "--end", "c"))
	require.Equal(t, "a1\n", s.ok("keys", "--limit", "1"))
	require.Equal(t, "{\"key\":\"b\"}\n{\"key\":\"c\"}\n", s.ok("keys", "--start", "b", "--json"))
	require.Empty(t, s.ok("keys", "--prefix", "x"), "no keys are no error")
}

func TestClientFlagsBecomeAClient(t *testing.T) {
	g, err := parsed(newWorld("get", "k", "--timeout", "3s", "--connect-timeout", "2s", "--max-frame", "1MiB"))
	require.NoError(t, err)
	require.Equal(t, &client.Options{Timeout: 3 * time.Second, ConnectTimeout: 2 * time.Second, MaxFrameBytes: 1 << 20},
		g.Get.options())
}

// What a scan delivered before it broke off is true, and is printed; the exit code says that there
// should have been more.
func TestKeysPrintsWhatItGotBeforeAnError(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		_, _ = wire.ReadFrame(nc, 1<<20, nil)
		_, _ = nc.Write(wire.AppendReply(nil, &wire.Reply{ID: 1, Op: wire.OpKeys, Cursor: 1, Pairs: []wire.Pair{{Key: []byte("a")}}}))
		_, _ = wire.ReadFrame(nc, 1<<20, nil)
	}()
	w := newWorld("keys", "--addr", ln.Addr().String())
	require.Equal(t, exitFailure, w.run())
	require.Equal(t, "a\n", w.out.String())
	require.Contains(t, w.err.String(), "connection lost")
}

func TestOutputThatCannotBeWrittenFails(t *testing.T) {
	s := newSession(t)
	s.ok("set", "k", "v")
	for _, args := range [][]string{{"set", "k", "v"}, {"get", "k"}, {"exists", "k"}, {"keys"}, {"keys", "--json"}, {"version"}} {
		w := newWorld(args...)
		if args[0] != "version" {
			w.Args = append(w.Args, "--addr", s.addr)
		}
		w.Stdout = brokenPipe{}
		require.Equal(t, exitFailure, w.run(), "%v", args)
		require.Contains(t, w.err.String(), "broken pipe", "%v", args)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestNoServerExitsThree(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := ln.Addr().String()
	require.NoError(t, ln.Close())
	for _, args := range [][]string{{"set", "k", "v"}, {"get", "k"}, {"delete", "k"}, {"exists", "k"}, {"keys"}} {
		w := newWorld(append(args, "--addr", addr, "--connect-timeout", "30ms")...)
		require.Equal(t, exitConnect, w.run(), "%v", args)
		require.Contains(t, w.err.String(), "cannot connect")
		require.Contains(t, w.err.String(), addr)
		require.Contains(t, w.err.String(), "holdfast serve", "what to do about it")
	}
}

// A server that takes the request and never answers.
func TestUnknownOutcomeExitsFive(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	for _, args := range [][]string{{"set", "k", "v"}, {"delete", "k"}, {"bulk-set"}} {
		w := newWorld(append(args, "--addr", ln.Addr().String(), "--timeout", "30ms")...)
		w.Stdin = strings.NewReader(`{"k": "v"}`)
		require.Equal(t, exitOutcomeUnknown, w.run(), "%v: %s", args, &w.err)
		require.Contains(t, w.err.String(), "outcome unknown")
		require.Contains(t, w.err.String(), "read the key", "what to do about it")
	}
	w := newWorld("get", "k", "--addr", ln.Addr().String(), "--timeout", "30ms")
	require.Equal(t, exitFailure, w.run(), "a read has no outcome to be unknown")
}

func TestInterruptedCommandEnds(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	stop, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		if nc, err := ln.Accept(); err == nil {
			_, _ = nc.Read(make([]byte, 1)) // the request is on its way
			cancel()
			<-ended // a connection that is lost would be another reason to end
			_ = nc.Close()
		}
	}()
	w := newWorld("set", "k", "v", "--addr", ln.Addr().String(), "--timeout", "1h")
	code := Run(stop, w.Env)
	close(ended)
	require.Equal(t, exitOutcomeUnknown, code)
	require.Contains(t, w.err.String(), "canceled")
}

func TestBulkSet(t *testing.T) {
	s := newSession(t)
	in := `{"a": "text", "n": 1.50, "list": [1, "x"], "obj": {"k": null}, "a": "later", "": 1}`
	_, errOut := s.do(exitFailure, strings.NewReader(in), "bulk-set")
	require.Contains(t, errOut, "EmptyKey")
	require.Empty(t, s.ok("keys"), "all or nothing")

	out, _ := s.do(exitOK, strings.NewReader(strings.ReplaceAll(in, `, "": 1`, "")), "bulk-set")
	require.Equal(t, "OK, 5 pairs\n", out)
	require.Equal(t, "a\nlist\nn\nobj\n", s.ok("keys"))
	require.Equal(t, "later", s.ok("get", "a"), "of two pairs with one key the later wins")
	require.Equal(t, "1.50", s.ok("get", "n"))
	require.Equal(t, `[1, "x"]`, s.ok("get", "list"))

	require.NoError(t, afero.WriteFile(s.fs, "pairs.json", []byte(
		`{"key":"l1","value":"one"}`+"\n"+`{"keyBase64":"AP8=","valueBase64":"/w=="}`+"\n"), 0o600))
	require.JSONEq(t, `{"pairs":2,"batches":1,"bytes":8}`, s.ok("bulk-set", "pairs.json", "--format", "lines", "--json"))
	require.Equal(t, "\xff", s.ok("get", "\x00\xff"))
	require.Equal(t, "one", s.ok("get", "l1"))

	out, _ = s.do(exitOK, strings.NewReader("{}"), "bulk-set")
	require.Equal(t, "OK, 0 pairs\n", out)
	_, errOut = s.do(exitFailure, nil, "bulk-set", "none.json")
	require.Contains(t, errOut, "none.json")
}

func TestBulkSetInBatchesSaysHowFarItCame(t *testing.T) {
	s := newSession(t)
	in := `{"a":"1","b":"2","c":"3","d":"4","e":}`
	_, errOut := s.do(exitFailure, strings.NewReader(in), "bulk-set", "--batch", "2")
	require.Contains(t, errOut, "after 4 pairs in 2 batches were stored: input, pair 5")
	require.Equal(t, "a\nb\nc\nd\n", s.ok("keys"))

	out, _ := s.do(exitOK, strings.NewReader(`{"x":"1","y":"2","z":"3"}`), "bulk-set", "--batch", "2", "--json")
	require.JSONEq(t, `{"pairs":3,"batches":2,"bytes":6}`, out)
}

func TestBulkSetStopsReadingAtTheFrameLimit(t *testing.T) {
	s := newSession(t)
	endless := strings.NewReader(`{"a":"` + strings.Repeat("v", 2<<20) + `", "b":`)
	_, errOut := s.do(exitFailure, endless, "bulk-set", "--max-frame", "1MiB")
	require.Contains(t, errOut, "--batch")
	require.Empty(t, s.ok("keys"))
}

func TestBulkSetRefusesBadInput(t *testing.T) {
	s := newSession(t)
	for _, tt := range []struct{ format, in, want string }{
		{"object", "", "unexpected EOF"},
		{"object", "[]", "a JSON object is expected"},
		{"object", "nonsense", "invalid character"},
		{"object", `{"a":"1"`, "unexpected EOF"},
		{"object", `{"a":`, "unexpected EOF"},
		{"object", `{"a":"1"} {"b":"2"}`, "follows the JSON object"},
		{"lines", `{"key":"a"}`, "pair 1: one of key and keyBase64"},
		{"lines", `{"value":"a"}`, "one of key and keyBase64"},
		{"lines", `{"key":"a","keyBase64":"YQ==","value":"v"}`, "one of key and keyBase64"},
		{"lines", `{"key":"a","value":"v"} {"key":"b","value":"v","ttl":1}`, `pair 2: json: unknown field "ttl"`},
		{"lines", `{"key":"a","value":"v"} {"key":`, "unexpected EOF"},
	} {
		_, errOut := s.do(exitFailure, strings.NewReader(tt.in), "bulk-set", "--format", tt.format)
		require.Contains(t, errOut, tt.want, "%s %s", tt.format, tt.in)
	}
	require.Empty(t, s.ok("keys"))
}

func TestIsTerminalAsksTheSystem(t *testing.T) {
	require.False(t, isTerminal(&bytes.Buffer{}))
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	require.False(t, isTerminal(f))
}
