package wire

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

func BenchmarkSetRequest(b *testing.B) {
	r := Request{ID: 1, Op: OpSet, Key: make([]byte, 16), Value: make([]byte, 256)}
	frame := AppendRequest(nil, &r)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			frame = AppendRequest(frame[:0], &r)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseRequest(frame[LengthBytes:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkGetReply(b *testing.B) {
	r := Reply{ID: 1, Op: OpGet, Value: make([]byte, 256)}
	frame := AppendReply(nil, &r)
	b.Run("append", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			frame = AppendReply(frame[:0], &r)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(frame)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseReply(OpGet, frame[LengthBytes:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBulkSetParse(b *testing.B) {
	r := Request{ID: 1, Op: OpBulkSet, Pairs: make([]Pair, 100)}
	for i := range r.Pairs {
		r.Pairs[i] = Pair{Key: make([]byte, 16), Value: make([]byte, 256)}
	}
	payload := AppendRequest(nil, &r)[LengthBytes:]
	b.SetBytes(int64(len(payload)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseRequest(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadFrame(b *testing.B) {
	frame := AppendRequest(nil, &Request{ID: 1, Op: OpSet, Key: make([]byte, 16), Value: make([]byte, 256)})
	stream := bytes.NewReader(frame)
	r := bufio.NewReader(stream)
	var buf []byte
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := stream.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		r.Reset(stream)
		payload, err := ReadFrame(r, DefaultMaxFrameBytes, buf)
		if err != nil {
			b.Fatal(err)
		}
		buf = payload
	}
}
