package kv

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/afero"
)

// Check reads the store in dir on fsys, which no one may have open, and says
// what is damaged, which keys that touches, and what Open would do. It changes
// nothing, not even in a store that Open would repair, and needs no more than
// permission to read. opts may be nil.
//
// Unlike Open it goes on behind the first damage: every manifest and every
// segment is read, and behind a hole the log is taken up again at the next
// record that says, under its checksum, that it belongs there. It takes memory
// for the keys, as Open does.
//
// A report of damage comes with a nil error. Check returns ErrNoStore when Open
// would create a store, ErrLocked when the store is open elsewhere, and
// ErrInvalidOptions, all without a report. With any other error, a file that
// cannot be read or ErrFormatTooNew, the report says what could be found all
// the same.
func Check(fsys afero.Fs, dir string, opts *Options) (*CheckReport, error) {
	o, err := opts.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &checker{
		base: fsys,
		st:   &storage{fs: readOnlyFs{fsys}, dir: dir, log: o.Logger, rand: o.Rand},
		opts: &o,
		keys: keyBook{states: map[string]keyState{}},
		report: CheckReport{
			Manifests: []ManifestReport{}, Segments: []SegmentReport{},
			Damages: []Damage{}, Touched: []TouchedKey{}, Notes: []string{},
		},
	}
	if err := c.run(); err != nil {
		err = fmt.Errorf("checking the store in %s: %w", dir, err)
		if c.report.Verdict == "" {
			return nil, err
		}
		return &c.report, err
	}
	return &c.report, nil
}

// checker is one Check. What Open would do is found out by the steps of
// recovery themselves, up to the first that would change something. The survey
// then reads everything once more, by itself, and does not stop.
type checker struct {
	base   afero.Fs
	st     *storage
	opts   *Options
	inv    inventory
	keys   keyBook
	report CheckReport

	manifest *manifest // the one that counts; nil if there is none
	readErr  error     // the first read that failed
}

func (c *checker) run() error {
	release, err := c.lock()
	if err != nil {
		return err
	}
	defer release()
	openErr, err := c.rehearse()
	if err != nil {
		return err
	}
	if err := c.survey(); err != nil {
		return err
	}
	c.keys.summarise(&c.report)
	return c.conclude(openErr)
}

// lock keeps owners out for as long as the check takes, as far as that can be
// done without creating or changing the lock file.
func (c *checker) lock() (release func(), err error) {
	lock, err := c.st.lockOn(c.base, os.O_RDONLY)
	switch {
	case err == nil:
		return lock.release, nil
	case errors.Is(err, ErrLocked):
		return nil, ErrLocked
	case !errors.Is(err, os.ErrNotExist):
		c.note("whether the store is open elsewhere cannot be told: %v", err)
	}
	return func() {}, nil
}

// rehearse goes through the steps of Open that change nothing, and returns how
// they end as openErr. err is why there is nothing to check.
func (c *checker) rehearse() (openErr, err error) {
	r := &recovery{st: c.st, opts: c.opts, index: newIndex()}
	defer r.closeFiles()
	r.inv, err = c.st.takeInventory()
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoStore
	}
	if err != nil {
		return nil, err
	}
	c.inv = r.inv
	completed, openErr := c.st.identify(r.inv)
	if openErr == nil && !completed {
		return nil, ErrNoStore
	}
	for _, step := range []func() error{r.load, r.replayAll, r.findOrphans} {
		if openErr == nil {
			openErr = step()
		}
	}
	c.report.Verdict = verdictOf(openErr, &r.report)
	if openErr == nil {
		c.report.CutBytes, c.report.CutFile, c.report.CutOffset = r.report.CutBytes, r.report.CutFile, r.report.CutOffset
		c.report.Notes = append(c.report.Notes, r.report.Notes...)
	}
	return openErr, nil
}

func verdictOf(openErr error, r *RecoveryReport) Verdict {
	switch {
	case errors.Is(openErr, ErrDamaged):
		return VerdictDamaged
	case openErr != nil:
		return VerdictFailed
	case r.CutBytes > 0:
		return VerdictTorn
	}
	return VerdictClean
}

// conclude adds what stopped Open, should the survey have nothing to say about
// that file, and returns what stopped the check.
func (c *checker) conclude(openErr error) error {
	if c.st.id != (storeID{}) {
		c.report.Store = hex.EncodeToString(c.st.id[:])
	}
	if openErr != nil {
		c.report.OpenError = openErr.Error()
	}
	var d *DamageError
	if errors.As(openErr, &d) {
		if !c.report.names(d.File) {
			c.report.damage(Damage{File: d.File, Offset: d.Offset, FirstSeq: d.FirstSeq, LastSeq: d.LastSeq, Reason: d.Reason})
		}
		openErr = nil
	}
	if openErr == nil && c.readErr != nil {
		openErr = c.readErr
		if c.report.Verdict != VerdictDamaged {
			c.report.Verdict = VerdictFailed // what was read the first time may not be there again
		}
	}
	return openErr
}

func (c *checker) note(format string, args ...any) {
	c.report.Notes = append(c.report.Notes, fmt.Sprintf(format, args...))
}

// failed notes a read that failed, and reports whether it did.
func (c *checker) failed(err error) bool {
	if err != nil && c.readErr == nil {
		c.readErr = err
	}
	return err != nil
}
