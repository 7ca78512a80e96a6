package wire

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite testdata from the vectors in the code")

// requestVectors and replyVectors name one frame each; testdata/requests and testdata/replies hold
// the bytes. To add one, add it here and run go test ./internal/wire -update.
var requestVectors = map[string]Request{
	"set":             {ID: 1, Op: OpSet, Key: []byte("user:1"), Value: []byte("Ada")},
	"set-empty-value": {ID: 2, Op: OpSet, Key: []byte("k"), Value: []byte{}},
	"set-binary":      {ID: 1<<64 - 1, Op: OpSet, Key: []byte{0, 255}, Value: []byte{0, 1, 254, 255}},
	"get":             {ID: 3, Op: OpGet, Key: []byte("user:1")},
	"delete":          {ID: 4, Op: OpDelete, Key: []byte("user:1")},
	"exists":          {ID: 6, Op: OpExists, Key: []byte("user:1")},
	"bulk-set": {ID: 5, Op: OpBulkSet, Pairs: []Pair{
		{Key: []byte("a"), Value: []byte("1")}, {Key: []byte("bb"), Value: []byte{}}}},
	"keys-all": {ID: 7, Op: OpKeys, Scan: Scan{Prefix: []byte{}, Start: []byte{}, End: []byte{}}},
	"scan-range": {ID: 8, Op: OpScan, Scan: Scan{
		Prefix: []byte("user:"), Start: []byte("user:1"), End: []byte("user:9"), Limit: 100}},
	"scan-next": {ID: 9, Op: OpScan, Scan: Scan{
		Cursor: 0x0102030405060708, Prefix: []byte{}, Start: []byte{}, End: []byte{}, Limit: 100}},
}

var replyVectors = func() map[string]Reply {
	v := map[string]Reply{
		"set":        {ID: 1, Op: OpSet},
		"get":        {ID: 3, Op: OpGet, Value: []byte("Ada")},
		"get-empty":  {ID: 3, Op: OpGet, Value: []byte{}},
		"delete-yes": {ID: 4, Op: OpDelete, Exists: true},
		"delete-no":  {ID: 4, Op: OpDelete},
		"bulk-set":   {ID: 5, Op: OpBulkSet},
		"exists-yes": {ID: 6, Op: OpExists, Exists: true},
		"exists-no":  {ID: 6, Op: OpExists},
		"keys-none":  {ID: 7, Op: OpKeys},
		"keys-last":  {ID: 7, Op: OpKeys, Pairs: []Pair{{Key: []byte("a")}, {Key: []byte("bb")}}},
		"scan-page": {ID: 8, Op: OpScan, Cursor: 0x0102030405060708, Pairs: []Pair{
			{Key: []byte("user:1"), Value: []byte("Ada")}, {Key: []byte("user:2"), Value: []byte{}}}},
		"about-the-connection": {ID: 0, Status: StatusTooManyConnections, Message: "at most 1024"},
		"no-message":           {ID: 3, Status: StatusNotFound},
		"unicode-message":      {ID: 3, Status: StatusDamaged, Message: "beschädigt"},
		"unheard-of-status":    {ID: 3, Status: 200, Message: "from a later version"},
	}
	for s, name := range statusNames {
		if s != StatusOK {
			v[fmt.Sprintf("status-%02d", s)] = Reply{ID: 3, Status: s, Message: name}
		}
	}
	return v
}()

func TestGoldenRequests(t *testing.T) {
	golden(t, "requests", requestVectors,
		func(r Request) []byte { return AppendRequest(nil, &r) },
		func(_ Request, payload []byte) (Request, error) { return ParseRequest(payload) })
}

func TestGoldenReplies(t *testing.T) {
	golden(t, "replies", replyVectors,
		func(r Reply) []byte { return AppendReply(nil, &r) },
		func(r Reply, payload []byte) (Reply, error) { return ParseReply(r.Op, payload) })
}

// golden holds every vector against its file in both directions, and insists that vectors and
// files are the same set.
func golden[T any](t *testing.T, dir string, vectors map[string]T, encode func(T) []byte, parse func(T, []byte) (T, error)) {
	if *update {
		writeGolden(t, dir, vectors, encode)
	}
	files := readGolden(t, dir)
	require.Equal(t, slices.Sorted(maps.Keys(vectors)), slices.Sorted(maps.Keys(files)), "vectors and files of %s", dir)
	for name, want := range vectors {
		frame := files[name]
		require.Equal(t, hex.EncodeToString(frame), hex.EncodeToString(encode(want)), "%s/%s encoded", dir, name)
		payload, err := ReadFrame(bytes.NewReader(frame), DefaultMaxFrameBytes, nil)
		require.NoError(t, err, "%s/%s", dir, name)
		got, err := parse(want, payload)
		require.NoError(t, err, "%s/%s", dir, name)
		require.Equal(t, want, got, "%s/%s parsed", dir, name)
	}
}

func TestEveryOpAndStatusHasAVector(t *testing.T) {
	asked, answered, statuses := map[Op]bool{}, map[Op]bool{}, map[Status]bool{}
	for _, r := range requestVectors {
		asked[r.Op] = true
	}
	for _, r := range replyVectors {
		statuses[r.Status] = true
		if r.Status == StatusOK {
			answered[r.Op] = true
		}
	}
	for n := range 256 {
		if op := Op(n); op.Valid() {
			require.True(t, asked[op], "request %v", op)
			require.True(t, answered[op], "reply to %v", op)
		}
		if s := Status(n); statusNames[s] != "" {
			require.True(t, statuses[s], "status %v", s)
		}
	}
}

// readGolden returns the frames of a folder by vector name; an empty folder fails the test.
func readGolden(t testing.TB, dir string) map[string][]byte {
	names, err := filepath.Glob(filepath.Join("testdata", dir, "*.hex"))
	require.NoError(t, err)
	require.NotEmpty(t, names, "no golden vectors in testdata/%s", dir)
	files := map[string][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		files[strings.TrimSuffix(filepath.Base(name), ".hex")] = unhex(t, string(text))
	}
	return files
}

// writeGolden writes a line for the length, one for the header and the body in lines of 16 bytes.
func writeGolden[T any](t *testing.T, dir string, vectors map[string]T, encode func(T) []byte) {
	folder := filepath.Join("testdata", dir)
	require.NoError(t, os.RemoveAll(folder))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for name, v := range vectors {
		frame := encode(v)
		lines := []string{
			hex.EncodeToString(frame[:LengthBytes]),
			hex.EncodeToString(frame[LengthBytes : LengthBytes+HeaderBytes]),
		}
		for part := range slices.Chunk(frame[LengthBytes+HeaderBytes:], 16) {
			lines = append(lines, hex.EncodeToString(part))
		}
		text := strings.Join(lines, "\n") + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".hex"), []byte(text), 0o644))
	}
}

// unhex decodes hexadecimal text with blanks, line ends and comments from # to the end of a line.
func unhex(t testing.TB, text string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(text) {
		code, _, _ := strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(code), ""))
	}
	b, err := hex.DecodeString(digits.String())
	require.NoError(t, err)
	return b
}
