package testdisk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/faultfs"
	"holdfast/internal/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a disk whose end does not end the test.
type rig struct {
	*Disk
	t    *testing.T
	dir  string
	ends int

	mu  sync.Mutex
	log bytes.Buffer
}

func (r *rig) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

func open(t *testing.T, o Options) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	o.Log, o.end = r, func() { r.ends++ }
	if o.PendingFile != "" {
		o.PendingFile = filepath.Join(r.dir, o.PendingFile)
	}
	var err error
	r.Disk, err = Open(afero.NewOsFs(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close(nil)) })
	return r
}

func (r *rig) write(name, text string) (afero.File, error) {
	f, err := r.FS().Create(filepath.Join(r.dir, name))
	require.NoError(r.t, err)
	r.t.Cleanup(func() { f.Close() })
	_, err = f.WriteString(text)
	return f, err
}

// command sends lines and returns the answers to them.
func (r *rig) command(lines ...string) (answers []Line) {
	r.t.Helper()
	r.mu.Lock()
	r.log.Reset()
	r.mu.Unlock()
	r.Control(strings.NewReader(strings.Join(lines, "\n") + "\n"))
	for text := range strings.Lines(r.log.String()) {
		line, ok := ParseLine([]byte(text))
		require.True(r.t, ok, text)
		answers = append(answers, line)
	}
	return answers
}

func TestRulesComeAndGoByCommand(t *testing.T) {
	r := open(t, Options{Rules: faultfs.MustParse("rename * EIO")})
	require.ErrorIs(t, r.FS().Rename("a", "b"), syscall.EIO, "from the start")
	_, err := r.write("x", "fine")
	require.NoError(t, err)

	answers := r.command(Inject("write * #2+ EIO\nsync x EIO"))
	require.Equal(t, []Line{{Msg: MsgControl, Command: "inject write * #2+ EIO;sync x EIO"}}, answers)
	_, err = r.write("y", "first")
	require.NoError(t, err)
	for range 3 {
		_, err = r.write("z", "struck")
		require.ErrorIs(t, err, syscall.EIO)
	}

	answers = r.command(Heal())
	require.Equal(t, []Line{{Msg: MsgControl, Command: "heal", Rules: []RuleCounts{
		{Rule: "rename * EIO", Calls: 1, Fired: 1}, {Rule: "write * #2+ EIO", Calls: 4, Fired: 3}, {Rule: "sync x EIO"},
	}}}, answers)
	_, err = r.write("z", "healed")
	require.NoError(t, err)
	require.Empty(t, r.command(Heal())[0].Rules, "each is reported once")
	require.Zero(t, r.ends)
}

func TestBadCommandsAreAnsweredAndDoNoHarm(t *testing.T) {
	r := open(t, Options{})
	for line, want := range map[string]string{
		"melt":                      `no command; there are "inject RULES", "heal" and "cut SEED KEEP"`,
		"heal everything":           "no command",
		"inject":                    "no command",
		"inject melt * EIO":         `"melt" is no operation`,
		"inject sync * EIO; melt":   "starts with an operation",
		"inject sync * crash":       "crash",
		"cut":                       "needs a seed",
		"cut 1":                     "needs a seed",
		"cut one nothing":           `seed "one"`,
		"cut -1 nothing":            `seed "-1"`,
		"cut 1 nothing":             "no volatile layer",
		"\xff\xfe\x00":              "no command",
		strings.Repeat("x", 200):    "no command",
		strings.Repeat("x", 40_000): "longer than 16384 bytes",
	} {
		answers := r.command(line)
		require.Len(t, answers, 1, "%.40s", line)
		require.Contains(t, answers[0].Error, want)
		require.LessOrEqual(t, len(answers[0].Command), 200)
	}
	require.Empty(t, r.command("", "  ", "\t"), "an empty line asks for nothing")
	_, err := r.write("x", "as if nothing had been said")
	require.NoError(t, err)
	require.Empty(t, r.command(Heal())[0].Rules, "of a line that is refused no rule stays")
	require.Zero(t, r.ends)
}

func TestLongLinesDoNotHideTheNext(t *testing.T) {
	r := open(t, Options{})
	answers := r.command(strings.Repeat("x", MaxCommandBytes+1), "heal", strings.Repeat("y", 5*MaxCommandBytes), "heal")
	require.Len(t, answers, 4)
	for i, want := range []string{"longer", "", "longer", ""} {
		require.Contains(t, answers[i].Error, want)
		require.Equal(t, want == "", answers[i].Error == "")
	}
	r.Control(strings.NewReader("heal")) // the last line need not end
	require.Equal(t, 5, strings.Count(r.log.String(), MsgControl))
}

func TestInputThatFailsIsSaid(t *testing.T) {
	r := open(t, Options{})
	r.Control(iotest.ErrReader(errors.New("unplugged")))
	require.Contains(t, r.log.String(), "no more commands")
	require.Contains(t, r.log.String(), "unplugged")
}

func TestPendingFileFollowsTheLayer(t *testing.T) {
	r := open(t, Options{Volatile: true, PendingFile: "pending"})
	name := filepath.Join(r.dir, "pending")
	require.Zero(t, readPending(t, name))
	f, err := r.write("x", "12345")
	require.NoError(t, err)
	require.GreaterOrEqual(t, readPending(t, name).Bytes, int64(5))
	require.Positive(t, readPending(t, name).Entries)
	require.NoError(t, f.Sync())
	require.NoError(t, vfs.SyncDir(r.FS(), r.dir))
	require.Zero(t, readPending(t, name))
}

func TestCutTakesWhatIsNotSynced(t *testing.T) {
	r := open(t, Options{Volatile: true, Rules: faultfs.MustParse("sync x count")})
	f, err := r.write("x", "synced")
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, vfs.SyncDir(r.FS(), r.dir))
	_, err = f.WriteString(" and not")
	require.NoError(t, err)

	answers := r.command(Cut(7, "nothing"), "heal")
	require.Equal(t, 1, r.ends)
	require.Equal(t, MsgPowerCut, answers[0].Msg)
	require.Equal(t, "cut 7 nothing", answers[0].Command)
	require.GreaterOrEqual(t, answers[0].Lost().Bytes, int64(8))
	require.Equal(t, []RuleCounts{{Rule: "sync x count", Calls: 1, Fired: answers[0].Rules[0].Fired}}, answers[0].Rules)
	text, err := afero.ReadFile(afero.NewOsFs(), filepath.Join(r.dir, "x"))
	require.NoError(t, err)
	require.Equal(t, "synced", string(text))
	require.ErrorIs(t, f.Sync(), vfs.ErrCrashed)
}

// A server that notices the cut and hurries out with an error waits until the cut is said.
func TestServerDoesNotOutrunTheCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, dir: t.TempDir()}
		mayEnd := make(chan struct{})
		d, err := Open(afero.NewOsFs(), Options{Volatile: true, Log: r, end: func() { <-mayEnd }})
		require.NoError(t, err)
		go d.Control(strings.NewReader(Cut(1, "any")))
		closed := make(chan error, 1)
		go func() { closed <- d.Close(fmt.Errorf("serving: %w", vfs.ErrCrashed)) }()
		synctest.Wait()
		require.Empty(t, closed, "it is gone before the cut was over")
		close(mayEnd)
		synctest.Wait()
		require.NoError(t, <-closed)
		require.Contains(t, r.log.String(), MsgPowerCut)
	})
}

// A cut that never comes to its end does not hold the server back for ever.
func TestServerWaitsForTheCutOnlySoLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := Open(afero.NewMemMapFs(), Options{Log: &bytes.Buffer{}})
		require.NoError(t, err)
		begun := time.Now()
		require.NoError(t, d.Close(vfs.ErrCrashed))
		require.Equal(t, endGrace, time.Since(begun))
	})
}

func TestCutNeedsToKnowWhatToKeep(t *testing.T) {
	r := open(t, Options{Volatile: true})
	require.NotEmpty(t, r.command("cut 1 everything")[0].Error)
	require.Zero(t, r.ends)
}

func TestRuleCutsThePower(t *testing.T) {
	r := open(t, Options{Volatile: true, Rules: faultfs.MustParse("sync x #1 crash")})
	f, err := r.write("x", "never synced")
	require.NoError(t, err)
	require.ErrorIs(t, f.Sync(), vfs.ErrCrashed)
	require.Equal(t, 1, r.ends)
	var line Line
	require.NoError(t, json.Unmarshal(r.log.Bytes(), &line))
	require.Equal(t, MsgPowerCut, line.Msg)
	require.Positive(t, line.Bytes)
	require.Equal(t, 1, line.Rules[0].Fired)
}

func TestImpossibleDisksAreRefused(t *testing.T) {
	for want, o := range map[string]Options{
		"needs the volatile layer": {PendingFile: "pending"},
		"crash":                    {Rules: faultfs.MustParse("sync * crash")},
	} {
		o.Log = &bytes.Buffer{}
		_, err := Open(afero.NewMemMapFs(), o)
		require.ErrorIs(t, err, ErrOptions)
		require.ErrorContains(t, err, want)
	}
	broken := faultfs.New(afero.NewMemMapFs(), faultfs.MustParse("create pending EIO")...)
	_, err := Open(broken, Options{Volatile: true, PendingFile: "pending", Log: &bytes.Buffer{}})
	require.ErrorIs(t, err, syscall.EIO)
	require.NotErrorIs(t, err, ErrOptions)
}

func TestOtherLinesAnswerNothing(t *testing.T) {
	for _, text := range []string{"", "{", `{"msg":"serving"}`, `{"msg":7}`, "panic: control"} {
		_, ok := ParseLine([]byte(text))
		require.False(t, ok, text)
	}
}
