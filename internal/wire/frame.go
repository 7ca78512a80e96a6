package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// Sizes and limits of the protocol, in bytes.
const (
	Version = 1 // the version byte of every payload

	LengthBytes = 4  // the length before a payload
	HeaderBytes = 10 // version, kind and id: the shortest payload

	MaxKeyBytes     = 64 << 10 // keys, and the prefix, start and end of a scan
	MaxMessageBytes = 1 << 10  // the message of a reply that is not OK

	// DefaultMaxFrameBytes is the usual limit on the payload of one frame, in both directions.
	DefaultMaxFrameBytes = 10 << 20
)

// firstStepBytes is how much of a payload is made room for before any of it has arrived.
const firstStepBytes = 4 << 10

// Header is the part of a payload that keeps its place in every version of the protocol.
type Header struct {
	Version uint8
	Kind    uint8 // an Op in a request, a Status in a reply
	ID      uint64
}

// ParseHeader reads the first HeaderBytes of payload, which need not be complete beyond them.
// A shorter payload is StatusMalformed; another version is StatusUnsupportedVersion, and the header
// is returned beside that error so that the peer can be told by id.
func ParseHeader(payload []byte) (Header, error) {
	if len(payload) < HeaderBytes {
		return Header{}, malformed("payload of %d bytes, at least %d needed", len(payload), HeaderBytes)
	}
	h := Header{Version: payload[0], Kind: payload[1], ID: binary.BigEndian.Uint64(payload[2:])}
	if h.Version != Version {
		return h, errorf(StatusUnsupportedVersion, "version %d, this side speaks %d", h.Version, Version)
	}
	return h, nil
}

func appendHeader(dst []byte, payloadBytes int, kind uint8, id uint64) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(payloadBytes))
	dst = append(dst, Version, kind)
	return binary.BigEndian.AppendUint64(dst, id)
}

// ReadFrame reads one frame from r and returns its payload, which lies in buf when it fits there
// and in newly allocated memory when not; pass the last payload as buf to reuse it.
//
// A claimed length over limit is StatusFrameTooLarge, with nothing read past the length. Memory
// grows with the bytes that arrive and never with the length claimed. The end of r between two
// frames is io.EOF, inside one io.ErrUnexpectedEOF; other errors of r are returned as they are.
func ReadFrame(r io.Reader, limit int, buf []byte) ([]byte, error) {
	buf = slices.Grow(buf[:0], LengthBytes) // also holds the length, which so costs no allocation
	if _, err := io.ReadFull(r, buf[:LengthBytes]); err != nil {
		return nil, err
	}
	n, err := CheckLength(buf[:LengthBytes], limit)
	if err != nil {
		return nil, err
	}
	return AppendPayload(buf, r, n)
}

// CheckLength decodes the first LengthBytes of b, which must be there, as the length of a frame.
// A length over limit is StatusFrameTooLarge. With [AppendPayload] it makes up [ReadFrame], for
// callers who want to decide about a payload before they read it.
func CheckLength(b []byte, limit int) (int, error) {
	n := binary.BigEndian.Uint32(b)
	if int64(n) > int64(limit) {
		return 0, errorf(StatusFrameTooLarge, "frame of %d bytes, at most %d", n, limit)
	}
	return int(n), nil
}

// AppendPayload appends exactly n bytes of r to dst. Room is made in steps that at most double what
// has arrived, so a peer that claims much and sends little costs little. On an error it returns dst
// with what did arrive; the end of r before n bytes is io.ErrUnexpectedEOF.
func AppendPayload(dst []byte, r io.Reader, n int) ([]byte, error) {
	for n > 0 {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(n, max(len(dst), firstStepBytes)))
		}
		room := dst[len(dst):min(cap(dst), len(dst)+n)]
		got, err := io.ReadFull(r, room)
		dst = dst[:len(dst)+got]
		n -= got
		if err != nil {
			return dst, insideFrame(err)
		}
	}
	return dst, nil
}

func insideFrame(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
