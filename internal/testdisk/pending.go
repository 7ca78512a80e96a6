package testdisk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/spf13/afero"

	"holdfast/internal/vfs"
)

const (
	pendingMagic = "HFPEND\x00\x01"
	pendingBytes = 28
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendPending appends the record that the package comment draws.
func appendPending(b []byte, p vfs.Lost) []byte {
	start := len(b)
	b = append(b, pendingMagic...)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Bytes))
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Entries))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parsePending reads what appendPending made.
func parsePending(b []byte) (p vfs.Lost, err error) {
	if len(b) != pendingBytes || string(b[:8]) != pendingMagic {
		return p, fmt.Errorf("%d bytes that are no record of pending data", len(b))
	}
	if binary.LittleEndian.Uint32(b[24:]) != crc32.Checksum(b[:24], castagnoli) {
		return p, errors.New("the checksum of the record of pending data is wrong")
	}
	p.Bytes = int64(binary.LittleEndian.Uint64(b[8:]))
	p.Entries = int64(binary.LittleEndian.Uint64(b[16:]))
	return p, nil
}

// ReadPending reads a pending file of the operating system. The process that writes it should be gone.
func ReadPending(name string) (vfs.Lost, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return vfs.Lost{}, fmt.Errorf("read the pending file: %w", err)
	}
	p, err := parsePending(b)
	if err != nil {
		return vfs.Lost{}, fmt.Errorf("pending file %s: %w", name, err)
	}
	return p, nil
}

// PendingFile is the server's side of a pending file, for one caller at a time.
type PendingFile struct {
	file afero.File
	said vfs.Lost
	buf  []byte
}

// CreatePending makes or empties the file and writes that nothing is pending.
func CreatePending(fsys afero.Fs, name string) (*PendingFile, error) {
	f, err := fsys.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("create the pending file: %w", err)
	}
	p := &PendingFile{file: f}
	if err := p.write(vfs.Lost{}); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Update writes down what is pending now, if that has changed.
func (p *PendingFile) Update(now vfs.Lost) error {
	if now == p.said {
		return nil
	}
	return p.write(now)
}

// write puts the record in place.
func (p *PendingFile) write(now vfs.Lost) error {
	p.buf = appendPending(p.buf[:0], now)
	if _, err := p.file.WriteAt(p.buf, 0); err != nil {
		return fmt.Errorf("write the pending file: %w", err)
	}
	p.said = now
	return nil
}

// Close closes the file.
func (p *PendingFile) Close() error {
	if err := p.file.Close(); err != nil {
		return fmt.Errorf("close the pending file: %w", err)
	}
	return nil
}
