package faultfs_test

import (
	"bytes"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

// onFile runs a test on each base with a file that holds the given bytes, open
// for reading and writing through the rules.
func onFile(t *testing.T, rules, data string, test func(t *testing.T, fsys *faultfs.FS, f afero.File, stored func() string)) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		require.NoError(t, afero.WriteFile(base, dir+"/f", []byte(data), 0o644))
		fsys := faultfs.New(base, faultfs.MustParse(rules)...)
		f := open(t, fsys, dir+"/f")
		test(t, fsys, f, func() string { return content(t, base, dir+"/f") })
		fsys.CheckFired(t)
	})
}

func TestAShortWriteWritesPartAndNamesNoErrno(t *testing.T) {
	onFile(t, "write * #1+ heal=3 short=3", "..........", func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
		n, err := f.Write([]byte("abcdef"))
		require.Equal(t, io.ErrShortWrite, err)
		require.Equal(t, 3, n)
		n, err = f.Write([]byte("xyz"))
		require.NoError(t, err, "what is no longer than that is written whole")
		require.Equal(t, 3, n)
		require.Equal(t, "abcxyz....", stored(), "the cursor stands behind what was written")
		n, err = f.WriteAt([]byte("ABCDEF"), 5)
		require.Equal(t, io.ErrShortWrite, err)
		require.Equal(t, 3, n)
		require.Equal(t, "abcxyABC..", stored())
	})
}

func TestAShortReadReturnsPart(t *testing.T) {
	onFile(t, "read * #1+ heal=4 short=3", "0123456789", func(t *testing.T, _ *faultfs.FS, f afero.File, _ func() string) {
		p := bytes.Repeat([]byte("."), 6)
		n, err := f.Read(p)
		require.NoError(t, err)
		require.Equal(t, "012...", string(p))
		require.Equal(t, 3, n)
		n, err = f.ReadAt(p, 4)
		require.Equal(t, io.EOF, err, "a ReadAt that returns less has to say why")
		require.Equal(t, 3, n)
		require.Equal(t, "456...", string(p))
		n, err = f.ReadAt(p[:3], 4)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		_, err = f.Read(p)
		require.NoError(t, err)
		rest, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, "6789", string(rest))
	})
}

func TestAFlippedBitOfAWrite(t *testing.T) {
	onFile(t, "write * #1 flip=9; write * #2 flip=24", "", func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
		p := []byte("abc")
		n, err := f.Write(p)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, "abc", string(p), "the caller's bytes stay as they are")
		require.Equal(t, "a`c", stored()) // 'b' ^ 2
		_, err = f.WriteString("abc")
		require.NoError(t, err)
		require.Equal(t, "a`c`bc", stored(), "a bit beyond the call counts on from its start")
		_, err = f.Write(nil)
		require.NoError(t, err)
	})
}

func TestAFlippedBitOfARead(t *testing.T) {
	onFile(t, "read * #1+ heal=3 flip=0", "abc", func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
		p := make([]byte, 3)
		_, err := f.ReadAt(p, 0)
		require.NoError(t, err)
		require.Equal(t, "`bc", string(p))
		n, err := f.Read(p)
		require.NoError(t, err)
		require.Equal(t, "`bc", string(p[:n]))
		n, err = f.Read(p)
		require.Equal(t, io.EOF, err, "nothing to damage")
		require.Zero(t, n)
		require.Equal(t, "abc", stored())
		_, err = f.ReadAt(p, 0)
		require.NoError(t, err)
		require.Equal(t, "abc", string(p), "damage on the way is gone the next time")
	})
}

// damaged returns the first and the last byte that differ, and how many do.
func damaged(t *testing.T, good, bad string) (first, last, count int) {
	t.Helper()
	require.Len(t, bad, len(good))
	first = -1
	for i := range good {
		if good[i] == bad[i] {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		count++
	}
	return first, last, count
}

func TestSectorDamageIsAlignedToTheFileAndKeepsToTheCall(t *testing.T) {
	good := strings.Repeat("x", 2000)
	for _, c := range []struct{ offset, length, first, last int }{
		{0, 2000, 0, 511},
		{0, 100, 0, 99},
		{500, 1000, 500, 511},
		{512, 1000, 512, 1023},
		{600, 30, 600, 629},
		{1000, 1000, 1000, 1023},
	} {
		for _, kind := range []string{"zero", "garbage"} {
			bytesOf := func(data string, write, cursor bool) string {
				after := ""
				onFile(t, map[bool]string{true: "write", false: "read"}[write]+" * #1 "+kind, good,
					func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
						p := []byte(strings.Repeat("x", c.length))
						_, err := f.Seek(int64(c.offset), io.SeekStart)
						require.NoError(t, err)
						switch {
						case write && cursor:
							_, err = f.Write(p)
						case write:
							_, err = f.WriteAt(p, int64(c.offset))
						case cursor:
							_, err = f.Read(p)
						default:
							_, err = f.ReadAt(p, int64(c.offset))
						}
						require.NoError(t, err)
						after = stored()
						if !write {
							require.Equal(t, good, after)
							after = data[:c.offset] + string(p) + data[c.offset+c.length:]
						}
					})
				return after
			}
			for _, write := range []bool{true, false} {
				bad := bytesOf(good, write, true)
				require.Equal(t, bad, bytesOf(good, write, false), "with a cursor and without")
				first, last, count := damaged(t, good, bad)
				require.Equal(t, []int{c.first, c.last, c.last - c.first + 1}, []int{first, last, count}, "%s of %+v", kind, c)
				zeros := strings.Count(bad, "\x00") == count
				require.Equal(t, kind == "zero", zeros)
			}
		}
	}
}

func TestGarbageComesFromTheSeedAndTheCall(t *testing.T) {
	garbage := func(rule string) (first, second string) {
		base := afero.NewMemMapFs()
		f := open(t, faultfs.New(base, faultfs.MustParse(rule)...), "/f")
		for range 2 {
			_, err := f.Write(make([]byte, 512))
			require.NoError(t, err)
		}
		all := content(t, base, "/f")
		return all[:512], all[512:]
	}
	first, second := garbage("write * seed=7 garbage")
	require.NotEqual(t, first, second)
	again, _ := garbage("write * seed=7 garbage")
	require.Equal(t, first, again)
	other, _ := garbage("write * seed=8 garbage")
	require.NotEqual(t, first, other)
	one, _ := garbage("write * seed=1 garbage")
	unnamed, _ := garbage("write * garbage")
	require.Equal(t, one, unnamed, "the seed is 1 unless it is named")
}

func TestALostWriteReportsSuccessAndDoesNotHappen(t *testing.T) {
	onFile(t, "write * #1+ heal=2 lost", "0123456789", func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
		n, err := f.Write([]byte("abc"))
		require.NoError(t, err)
		require.Equal(t, 3, n)
		n, err = f.WriteAt([]byte("abc"), 100)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		require.Equal(t, "0123456789", stored(), "not even its size")
		_, err = f.Write([]byte("x"))
		require.NoError(t, err)
		require.Equal(t, "012x456789", stored(), "the next write goes where it would have gone")
	})
}

func TestAMisdirectedWriteGoesBesideItsPlace(t *testing.T) {
	onFile(t, "write * #1 misdirect=+4; write * #2 misdirect=-4; write * #4 misdirect=-2", "0123456789",
		func(t *testing.T, _ *faultfs.FS, f afero.File, stored func() string) {
			n, err := f.Write([]byte("ab"))
			require.NoError(t, err)
			require.Equal(t, 2, n)
			require.Equal(t, "0123ab6789", stored())
			_, err = f.Write([]byte("c"))
			require.NoError(t, err)
			require.Equal(t, "0123abc789", stored(), "before the start of the file is beside it on the other side")
			_, err = f.Write([]byte("D"))
			require.NoError(t, err)
			require.Equal(t, "012Dabc789", stored(), "the cursor moved as if nothing had happened")
			_, err = f.WriteAt([]byte("e"), 9)
			require.NoError(t, err)
			require.Equal(t, "012Dabce89", stored())
		})
}

func TestFilesOpenForAppending(t *testing.T) {
	onEachBase(t, func(t *testing.T, base afero.Fs, dir string) {
		name := dir + "/f"
		require.NoError(t, afero.WriteFile(base, name, []byte("0123456789"), 0o644))
		fsys := faultfs.New(base, faultfs.MustParse("write * #1 lost; write * #2 misdirect=-4; write * #3 zero; write * #5 misdirect=-1")...)
		f, err := fsys.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		require.NoError(t, err)
		defer f.Close()
		for _, text := range []string{"lost", "ab", "zz", "end"} {
			n, err := f.Write([]byte(text))
			require.NoError(t, err)
			require.Equal(t, len(text), n)
		}
		require.Equal(t, "012345ab89\x00\x00end", content(t, base, name))

		require.NoError(t, base.Remove(name))
		_, err = f.Write([]byte("x"))
		require.ErrorContains(t, err, "misdirecting a write")
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

func TestAMisdirectedWriteIsChargedWhereItGoes(t *testing.T) {
	onFullDisk(t, 10, func(t *testing.T, d disk) {
		d.fsys.Inject(faultfs.MustParse("write old #1 misdirect=+8")[0])
		_, err := d.open("old").Write([]byte("abcd"))
		require.NoError(t, err)
		d.room(8)
	})
}

func TestDamageOnAClosedFileIsTheErrorOfTheFile(t *testing.T) {
	for _, rule := range []string{"write|read * zero", "write * misdirect=1", "write * lost"} {
		f := open(t, faultfs.New(afero.NewOsFs(), faultfs.MustParse(rule)...), t.TempDir()+"/f")
		require.NoError(t, f.Close())
		_, err := f.Write([]byte("abc"))
		require.ErrorIs(t, err, os.ErrClosed, rule)
		_, err = f.Read(make([]byte, 3))
		require.ErrorIs(t, err, os.ErrClosed, rule)
	}
}

func TestErrorsBelowComeThroughDamage(t *testing.T) {
	inner := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("write|read * EROFS")...)
	f := open(t, faultfs.New(inner, faultfs.MustParse("write * #1 short=2; write * #2 misdirect=9; write * #3 flip=1; read * zero")...), "/f")
	for range 3 {
		n, err := f.Write([]byte("abcdef"))
		require.ErrorIs(t, err, syscall.EROFS)
		require.Zero(t, n)
	}
	_, err := f.ReadAt(make([]byte, 3), 0)
	require.ErrorIs(t, err, syscall.EROFS)
}

// How rules combine, as the package comment says.
func TestRulesThatEndACallAndRulesThatDoNot(t *testing.T) {
	for rules, want := range map[string]struct {
		n       int
		err     error
		stored  string
		unfired string
	}{
		"write * flip=0; write * flip=1":                   {3, nil, "bbc", ""},
		"write * flip=0; write * tear=2 EIO":               {2, syscall.EIO, "`b", ""},
		"write * tear=2 EIO; write * flip=0":               {2, syscall.EIO, "`b", ""},
		"write * flip=0; write * EIO":                      {0, syscall.EIO, "", "write * flip=0"},
		"write * flip=0; write * lost":                     {3, nil, "", "write * flip=0"},
		"write * flip=0; write * EIO after":                {0, syscall.EIO, "`bc", ""},
		"write * flip=0; write * short=1":                  {1, io.ErrShortWrite, "`", ""},
		"write * flip=0; write * misdirect=1":              {3, nil, "\x00`bc", ""},
		"write * lost; write * EIO":                        {3, nil, "", "write * EIO"},
		"write * EIO; write * lost":                        {0, syscall.EIO, "", "write * lost"},
		"write * delay=1ns; write * EIO":                   {0, syscall.EIO, "", ""},
		"write * delay=1ns flip=0; write * EIO":            {0, syscall.EIO, "", ""},
		"write * EIO; write * delay=1ns EROFS":             {0, syscall.EIO, "", "write * delay=1ns EROFS"},
		"write * delay=1ns lost; write * flip=0":           {3, nil, "", "write * flip=0"},
		"write * count; write * EIO; any * count":          {0, syscall.EIO, "", ""},
		"write * quota=2; write * flip=0":                  {2, syscall.ENOSPC, "`b", ""},
		"write * flip=0 tear=2 EIO; write * flip=1":        {2, syscall.EIO, "bb", ""},
		"write * heal=1 flip=0; write * #2 EIO":            {3, nil, "`bc", "write * #2 EIO"},
		"write * quota=2; write * delay=1ns; write * lost": {3, nil, "", "write * quota=2"},
	} {
		base := afero.NewMemMapFs()
		require.NoError(t, afero.WriteFile(base, "/f", nil, 0o644))
		fsys := faultfs.New(base, faultfs.MustParse(rules)...)
		n, err := open(t, fsys, "/f").Write([]byte("abc"))
		require.ErrorIs(t, err, want.err, rules)
		require.Equal(t, want.n, n, rules)
		require.Equal(t, want.stored, content(t, base, "/f"), rules)
		require.Equal(t, faultfs.MustParse(want.unfired), fsys.Unfired(), rules)
	}
}

func TestDamageReachesTheFileBelowThroughTwoLayers(t *testing.T) {
	base := afero.NewMemMapFs()
	inner := faultfs.New(base, faultfs.MustParse("write * flip=0")...)
	f := open(t, faultfs.New(inner, faultfs.MustParse("write * flip=8")...), "/f")
	_, err := vfs.Overlapping(f).WriteAt([]byte("ab"), 0)
	require.NoError(t, err)
	require.Equal(t, "`c", content(t, base, "/f"))
}
