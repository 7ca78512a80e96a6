package wire

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// raw builds the payload of a request from its parts, whatever they are: integers of 4 bytes for
// int, 8 for uint64, 1 for byte, and strings as they stand.
func raw(version, kind byte, id uint64, parts ...any) []byte {
	p := binary.BigEndian.AppendUint64([]byte{version, kind}, id)
	for _, part := range parts {
		switch v := part.(type) {
		case int:
			p = binary.BigEndian.AppendUint32(p, uint32(v))
		case uint64:
			p = binary.BigEndian.AppendUint64(p, v)
		case byte:
			p = append(p, v)
		case string:
			p = append(p, v...)
		}
	}
	return p
}

func TestParseRequestRefuses(t *testing.T) {
	tooLong := strings.Repeat("k", MaxKeyBytes+1)
	set, scan, bulk := byte(OpSet), byte(OpScan), byte(OpBulkSet)
	tests := map[string]struct {
		payload []byte
		want    Status
		wantID  uint64
	}{
		"nothing":                 {nil, StatusMalformed, 0},
		"half a header":           {raw(1, set, 7)[:9], StatusMalformed, 0},
		"version 0":               {raw(0, set, 7), StatusUnsupportedVersion, 7},
		"version 2":               {raw(2, set, 7), StatusUnsupportedVersion, 7},
		"id 0":                    {raw(1, set, 0, 1, "k", 1, "v"), StatusMalformed, 0},
		"operation 0":             {raw(1, 0, 7), StatusUnknownOp, 7},
		"operation 8":             {raw(1, 8, 7), StatusUnknownOp, 7},
		"no body":                 {raw(1, set, 7), StatusMalformed, 7},
		"empty key":               {raw(1, set, 7, 0, 1, "v"), StatusEmptyKey, 7},
		"key too large":           {raw(1, set, 7, len(tooLong), tooLong, 0), StatusKeyTooLarge, 7},
		"key cut short":           {raw(1, set, 7, 5, "four"), StatusMalformed, 7},
		"key of 4 GiB":            {raw(1, set, 7, -1, "four"), StatusMalformed, 7},
		"no value":                {raw(1, set, 7, 1, "k"), StatusMalformed, 7},
		"value cut short":         {raw(1, set, 7, 1, "k", 2, "v"), StatusMalformed, 7},
		"bytes after a set":       {raw(1, set, 7, 1, "k", 1, "v", "x"), StatusMalformed, 7},
		"bytes after a get":       {raw(1, byte(OpGet), 7, 1, "k", "x"), StatusMalformed, 7},
		"bulk of nothing":         {raw(1, bulk, 7, 0), StatusMalformed, 7},
		"bulk without count":      {raw(1, bulk, 7), StatusMalformed, 7},
		"bulk of 4 billion":       {raw(1, bulk, 7, -1, 1, "k", 1, "v"), StatusMalformed, 7},
		"bulk with an empty key":  {raw(1, bulk, 7, 2, 1, "k", 1, "v", 0, 1, "v"), StatusEmptyKey, 7},
		"bulk with a large key":   {raw(1, bulk, 7, 1, len(tooLong), tooLong, 0), StatusKeyTooLarge, 7},
		"bulk with bytes after":   {raw(1, bulk, 7, 1, 1, "k", 1, "v", "x"), StatusMalformed, 7},
		"scan without limit":      {raw(1, scan, 7, uint64(0), 0, 0, 0), StatusMalformed, 7},
		"scan with a large start": {raw(1, scan, 7, uint64(0), 0, len(tooLong), tooLong, 0, 0), StatusKeyTooLarge, 7},
		"scan with bytes after":   {raw(1, scan, 7, uint64(0), 0, 0, 0, 0, "x"), StatusMalformed, 7},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRequest(tt.payload)
			require.ErrorIs(t, err, &Error{Status: tt.want})
			require.Equal(t, tt.wantID, r.ID)
		})
	}
}

func TestParseRequestTakesTheLargestKey(t *testing.T) {
	key := strings.Repeat("k", MaxKeyBytes)
	r, err := ParseRequest(raw(1, byte(OpGet), 7, len(key), key))
	require.NoError(t, err)
	require.Equal(t, key, string(r.Key))
}

func TestParsedSlicesAliasThePayloadAndEndWhereTheyEnd(t *testing.T) {
	payload := AppendRequest(nil, &Request{ID: 1, Op: OpSet, Key: []byte("k"), Value: []byte("v")})[LengthBytes:]
	r, err := ParseRequest(payload)
	require.NoError(t, err)

	_ = append(r.Key, "five!"...) // as many bytes as follow the key
	require.Equal(t, "v", string(r.Value))
	payload[len(payload)-1] = 'w'
	require.Equal(t, "w", string(r.Value))
}

func TestAppendRequestKeepsWhatDstHolds(t *testing.T) {
	r := Request{ID: 1, Op: OpGet, Key: []byte("k")}
	got := AppendRequest([]byte("before"), &r)
	require.Equal(t, "before", string(got[:6]))
	require.Equal(t, AppendRequest(nil, &r), got[6:])
	require.Len(t, got, 6+LengthBytes+r.PayloadBytes())
}

// PairBound promises an upper bound from the head alone; here it is compared with the slice that
// parsing really makes.
func TestPairBound(t *testing.T) {
	require.EqualValues(t, PairBytes, unsafe.Sizeof(Pair{}))
	for _, count := range []int{1, 2, 1000} {
		pairs := slices.Repeat([]Pair{{Key: []byte("k")}}, count)
		payload := AppendRequest(nil, &Request{ID: 1, Op: OpBulkSet, Pairs: pairs})[LengthBytes:]
		r, err := ParseRequest(payload)
		require.NoError(t, err)
		require.Equal(t, cap(r.Pairs), PairBound(payload[:HeaderBytes+4], len(payload)))
	}
	claim := raw(1, byte(OpBulkSet), 7, -1, "123456789")
	require.Equal(t, 1, PairBound(claim, len(claim)), "a count beyond what the payload can hold")
	require.Zero(t, PairBound(raw(1, byte(OpSet), 7, -1), 1<<20), "a Set allocates nothing")
	require.Zero(t, PairBound(claim[:HeaderBytes], len(claim)))
	require.Zero(t, PairBound(claim, HeaderBytes))
}

func TestSetAndGetParseWithoutAllocating(t *testing.T) {
	var sink Request
	for _, name := range []string{"set", "get", "delete", "exists", "scan-range"} {
		r := requestVectors[name]
		payload := AppendRequest(nil, &r)[LengthBytes:]
		n := testing.AllocsPerRun(100, func() { sink, _ = ParseRequest(payload) })
		require.Zero(t, n, name)
		buf := make([]byte, 0, 256)
		n = testing.AllocsPerRun(100, func() { buf = AppendRequest(buf[:0], &r) })
		require.Zero(t, n, name)
	}
	require.NotZero(t, sink.ID)
}

func TestErrorCarriesStatusAndMessage(t *testing.T) {
	var err error = &Error{Status: StatusDiskFull, Message: "write 1.seg"}
	require.EqualError(t, err, "DiskFull: write 1.seg")
	require.EqualError(t, &Error{Status: StatusDiskFull}, "DiskFull")
	require.ErrorIs(t, err, &Error{Status: StatusDiskFull})
	require.NotErrorIs(t, err, &Error{Status: StatusFenced})
	require.NotErrorIs(t, err, &Error{Status: StatusDiskFull, Message: "other"})
}
