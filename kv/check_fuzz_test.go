package kv

import (
	"bytes"
	"errors"
	"maps"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCheck puts arbitrary bytes into a file of a store, alone or over what it
// has, and with checksums that fit them. Neither Check nor Open may panic or
// allocate what headers only claim, and unless checksums were forged they must
// agree.
func FuzzCheck(f *testing.F) {
	m := buildMatrixStore(f, 1, endTorn)
	for i := range m.names {
		f.Add(uint8(i), uint16(0), []byte{}, false, true)
		f.Add(uint8(i), uint16(8), []byte{1, 0xff, 0xff}, false, false)
		f.Add(uint8(i), uint16(12), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true, false)
		f.Add(uint8(i), uint16(40), []byte{0, 0, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0x3f}, true, false)
		f.Add(uint8(i), uint16(88), bytes.Repeat([]byte{0x7f}, 56), true, false)
		f.Add(uint8(i), uint16(600), garbage(uint64(i), 900), false, false)
		f.Add(uint8(i), uint16(0), m.files[m.names[(i+1)%len(m.names)]], true, true)
	}
	f.Fuzz(func(t *testing.T, file uint8, at uint16, piece []byte, forge, alone bool) {
		files := maps.Clone(m.files)
		name := m.names[int(file)%len(m.names)]
		content := bytes.Clone(piece)
		if !alone {
			at := min(int(at), len(files[name]))
			content = append(bytes.Clone(files[name][:at]), piece...)
			if len(content) < len(files[name]) {
				content = append(content, files[name][len(content):]...)
			}
		}
		if forge {
			forgeChecksums(content)
		}
		files[name] = content
		fsys := newMatrixFs(files)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		report, err := Check(fsys, dir, nil)
		require.Zero(t, fsys.changes)
		db, openErr := Open(fsys, dir, small)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<20))
		if openErr == nil {
			defer func() { require.NoError(t, db.Close()) }()
		}
		if err != nil {
			require.True(t, errors.Is(err, ErrFormatTooNew), "%v", err)
			return
		}
		require.Equal(t, errors.Is(openErr, ErrDamaged), report.Verdict == VerdictDamaged)
		if !forge {
			require.NoError(t, agrees(report, openErr, db, []string{name}))
		}
	})
}

// forgeChecksums makes the checksums fit that b would have as a segment, as a
// manifest and as a STORE file.
func forgeChecksums(b []byte) {
	fit := func(end int64) {
		if end+4 <= int64(len(b)) {
			le.PutUint32(b[end:], checksum(b[:end]))
		}
	}
	switch {
	case bytes.HasPrefix(b, []byte(segmentMagic)):
		fit(64)
	case bytes.HasPrefix(b, []byte(storeMagic)):
		fit(28)
	case bytes.HasPrefix(b, []byte(manifestMagic)) && len(b) >= manifestHeaderBytes:
		fit(manifestHeaderBytes + int64(le.Uint32(b[12:]))*manifestEntryBytes)
		if half := len(b) / 2; half > 0 {
			copy(b[half:], b[:half])
		}
	}
}
