package wire

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestParseReplyRefuses(t *testing.T) {
	ok := byte(StatusOK)
	tests := map[string]struct {
		op      Op
		payload []byte
		want    Status
	}{
		"nothing":               {OpGet, nil, StatusMalformed},
		"version 2":             {OpGet, raw(2, ok, 7, 0), StatusUnsupportedVersion},
		"ok with id 0":          {OpSet, raw(1, ok, 0), StatusMalformed},
		"ok to no operation":    {0, raw(1, ok, 7), StatusMalformed},
		"bytes after a set":     {OpSet, raw(1, ok, 7, "x"), StatusMalformed},
		"no value":              {OpGet, raw(1, ok, 7), StatusMalformed},
		"flag of 2":             {OpDelete, raw(1, ok, 7, byte(2)), StatusMalformed},
		"no flag":               {OpExists, raw(1, ok, 7), StatusMalformed},
		"page of 4 billion":     {OpKeys, raw(1, ok, 7, uint64(0), -1, 1, "k"), StatusMalformed},
		"page with empty key":   {OpKeys, raw(1, ok, 7, uint64(0), 1, 0), StatusMalformed},
		"keys read as a scan":   {OpScan, raw(1, ok, 7, uint64(0), 1, 1, "k"), StatusMalformed},
		"message cut short":     {OpGet, raw(1, byte(StatusBusy), 7, 5, "four"), StatusMalformed},
		"message too long":      {OpGet, raw(1, byte(StatusBusy), 7, 1025, strings.Repeat("m", 1025)), StatusMalformed},
		"message not UTF-8":     {OpGet, raw(1, byte(StatusBusy), 7, 1, "\xff"), StatusMalformed},
		"bytes after a message": {OpGet, raw(1, byte(StatusBusy), 7, 1, "m", "x"), StatusMalformed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseReply(tt.op, tt.payload)
			require.ErrorIs(t, err, &Error{Status: tt.want})
		})
	}
}

func TestAppendReplyMendsMessages(t *testing.T) {
	tests := map[string]struct{ message, want string }{
		"as long as allowed": {strings.Repeat("m", 1024), strings.Repeat("m", 1024)},
		"too long":           {strings.Repeat("m", 1025), strings.Repeat("m", 1024)},
		"cut inside a rune":  {strings.Repeat("m", 1023) + "ß", strings.Repeat("m", 1023)},
		"not UTF-8":          {"a\xffb", "a\uFFFDb"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			frame := AppendReply(nil, &Reply{ID: 1, Status: StatusBusy, Message: tt.message})
			r, err := ParseReply(0, frame[LengthBytes:])
			require.NoError(t, err)
			require.Equal(t, tt.want, r.Message)
			require.True(t, utf8.ValidString(r.Message))
		})
	}
}

func TestReplyErr(t *testing.T) {
	require.NoError(t, (&Reply{}).Err())
	err := (&Reply{Status: StatusFenced, Message: "sync failed"}).Err()
	require.Equal(t, &Error{Status: StatusFenced, Message: "sync failed"}, err)
}

func TestStatusClasses(t *testing.T) {
	require.Equal(t, OutcomeOK, StatusOK.Outcome())
	require.Equal(t, OutcomeFailed, StatusDiskFull.Outcome())
	require.Equal(t, OutcomeUnknown, StatusOutcomeUnknown.Outcome())
	require.Equal(t, OutcomeUnknown, StatusInternal.Outcome())
	require.Equal(t, OutcomeUnknown, Status(200).Outcome(), "an unheard-of status promises nothing")
	for n := range 256 {
		if s := Status(n); s.Retryable() {
			require.Equal(t, OutcomeFailed, s.Outcome(), "%v may be sent again only if it was not applied", s)
		}
	}
	require.Equal(t, "Status(200)", Status(200).String())
	require.Equal(t, "Op(8)", Op(8).String())
	require.Equal(t, "BulkSet", OpBulkSet.String())
	require.Equal(t, "ok failed unknown", strings.Join([]string{
		OutcomeOK.String(), OutcomeFailed.String(), OutcomeUnknown.String()}, " "))
}

func TestWritesAreSetDeleteAndBulkSet(t *testing.T) {
	var writes []Op
	for n := range 256 {
		if Op(n).IsWrite() {
			writes = append(writes, Op(n))
		}
	}
	require.Equal(t, []Op{OpSet, OpDelete, OpBulkSet}, writes)
}
