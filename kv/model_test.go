package kv

import (
	"errors"
	"fmt"
	"testing"

	"github.com/spf13/afero"
	"pgregory.net/rapid"
)

// A store behaves as a map does, whatever is done to it in whatever order, and
// through any number of closes and kills. rapid prints the seed of a failure and
// replays it with -rapid.seed.
func TestStoreIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &model{fsys: afero.NewMemMapFs(), want: contents{}}
		m.open(t)
		defer func() { abandon(m.db) }()
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				key, value := drawKey(t), drawValue(t)
				m.must(t, m.db.Set([]byte(key), []byte(value)))
				m.want[key] = value
			},
			"delete": func(t *rapid.T) {
				key := drawKey(t)
				existed, err := m.db.Delete([]byte(key))
				m.must(t, err)
				if _, had := m.want[key]; existed != had {
					t.Fatalf("Delete(%q) says existed %v, want %v", key, existed, had)
				}
				delete(m.want, key)
			},
			"batch": m.batch,
			"get": func(t *rapid.T) {
				key := drawKey(t)
				got, err := m.db.Get([]byte(key))
				want, ok := m.want[key]
				if ok && (err != nil || string(got) != want) || !ok && !errors.Is(err, ErrNotFound) {
					t.Fatalf("Get(%q) is %q, %v; want %q, %v", key, got, err, want, ok)
				}
			},
			"close": func(t *rapid.T) { m.must(t, m.db.Close()); m.open(t) },
			"kill":  func(t *rapid.T) { abandon(m.db); m.open(t) },
			"":      m.check,
		})
	})
}

type model struct {
	fsys afero.Fs
	db   *DB
	want contents
}

func drawKey(t *rapid.T) string { return fmt.Sprint("k", rapid.IntRange(0, 12).Draw(t, "key")) }

func drawValue(t *rapid.T) string {
	return string(rapid.SliceOfN(rapid.Byte(), 0, 700).Draw(t, "value"))
}

func (m *model) must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (m *model) open(t *rapid.T) {
	var err error
	m.db, err = Open(m.fsys, dir, small)
	m.must(t, err)
}

func (m *model) batch(t *rapid.T) {
	b := new(Batch)
	for range rapid.IntRange(0, 6).Draw(t, "writes") {
		key := drawKey(t)
		if rapid.Bool().Draw(t, "delete") {
			b.Delete([]byte(key))
			delete(m.want, key)
			continue
		}
		value := drawValue(t)
		b.Set([]byte(key), []byte(value))
		m.want[key] = value
	}
	m.must(t, m.db.Apply(b))
}

// check runs after every step: a scan shows exactly what the map holds.
func (m *model) check(t *rapid.T) {
	seen, last := 0, ""
	for p, err := range m.db.Scan(ScanOptions{}) {
		m.must(t, err)
		want, ok := m.want[string(p.Key)]
		if !ok || want != string(p.Value) || string(p.Key) <= last {
			t.Fatalf("the scan shows %q = %q after %q; want %q, %v", p.Key, p.Value, last, want, ok)
		}
		last = string(p.Key)
		seen++
	}
	if seen != len(m.want) {
		t.Fatalf("the scan shows %d keys of %d", seen, len(m.want))
	}
}
