package server

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/afero"
	"github.com/stretchr/testify/require"

	"holdfast/faultfs"
	"holdfast/internal/wire"
	"holdfast/kv"
)

// The faults that every store must meet, as a client over the network sees them: which status, that
// the connection and the reads go on, and what a server that is started again on the same files says.

// acknowledged sets n keys and returns what must be there for ever after.
func acknowledged(p *peer, n int) map[string]string {
	want := map[string]string{}
	for i := range n {
		key, value := fmt.Sprintf("key%03d", i), fmt.Sprintf("value %d", i)
		require.Equal(p.t, wire.StatusOK, p.set(key, value).Status)
		want[key] = value
	}
	return want
}

func (p *peer) requireHas(want map[string]string) {
	for key, value := range want {
		r := p.get(key)
		require.Equal(p.t, wire.StatusOK, r.Status, "%s: %v", key, r.Err())
		require.Equal(p.t, value, string(r.Value), key)
	}
}

func runOn(t *testing.T, fsys afero.Fs) (*running, *peer) {
	r := run(t, fsys, RunConfig{Dir: "data", KV: kv.Options{SegmentBytes: 64 << 10}})
	return r, r.dial(t)
}

// end hangs up and stops the server, whose store may have reasons to complain.
func (p *peer) end(r *running) error {
	require.NoError(p.t, p.nc.Close())
	return r.end(p.t)
}

func TestFailedSyncCostsNobodyAnythingIfAnotherFileWorks(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	r, p := runOn(t, fsys)
	want := acknowledged(p, 10)
	fsys.Inject(faultfs.MustParse(`sync *.seg #1 EIO`)[0])
	require.Equal(t, wire.StatusOK, p.set("moved", "v").Status)
	want["moved"] = "v"
	p.requireHas(want)
	fsys.CheckFired(t)
	require.NoError(t, p.end(r))
	r, p = runOn(t, fsys)
	p.requireHas(want)
	require.NoError(t, p.end(r))
}

func TestFailedSyncsAreReportedAsUnknownAndThenFenced(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	r, p := runOn(t, fsys)
	want := acknowledged(p, 10)
	failing := fsys.Inject(faultfs.MustParse(`sync * EIO`)[0])

	require.Equal(t, wire.StatusOutcomeUnknown, p.set("unknown", "v").Status)
	require.Equal(t, wire.StatusFenced, p.set("fenced", "v").Status)
	require.Equal(t, wire.StatusFenced, p.ask(wire.Request{Op: wire.OpDelete, Key: []byte("key000")}).Status)
	require.Equal(t, wire.StatusFenced, p.ask(wire.Request{Op: wire.OpBulkSet, Pairs: pairs("key000=2")}).Status)
	require.Equal(t, wire.StatusNotFound, p.get("unknown").Status, "not visible, since not durable")
	p.requireHas(want)
	_ = p.end(r)
	fsys.CheckFired(t)
	failing.Remove()

	r, p = runOn(t, fsys)
	p.requireHas(want)
	require.Equal(t, wire.StatusNotFound, p.get("fenced").Status)
	p.requireWorks()
	require.NoError(t, p.end(r))
}

func TestTornWriteIsReportedAsUnknownAndLosesNothingAcknowledged(t *testing.T) {
	for _, tear := range []int{1, 17, 45} {
		fsys := faultfs.New(afero.NewMemMapFs())
		r, p := runOn(t, fsys)
		want := acknowledged(p, 10)
		fsys.Inject(faultfs.MustParse(fmt.Sprintf(`write *.seg #1 tear=%d EIO`, tear))[0])
		creating := fsys.Inject(faultfs.MustParse(`create * EIO`)[0]) // so that nothing can go on elsewhere

		require.Equal(t, wire.StatusOutcomeUnknown, p.set("torn", "a value of some length").Status)
		require.Equal(t, wire.StatusFenced, p.set("fenced", "v").Status)
		p.requireHas(want)
		_ = p.end(r)
		fsys.CheckFired(t)
		creating.Remove()

		r, p = runOn(t, fsys)
		p.requireHas(want)
		require.Equal(t, wire.StatusNotFound, p.get("torn").Status)
		require.NoError(t, p.end(r))
	}
}

func TestCorruptedRecordIsReportedAsDamagedAndTheOthersAreServed(t *testing.T) {
	fsys := afero.NewMemMapFs()
	r, p := runOn(t, fsys)
	want := acknowledged(p, 10)
	corrupt(t, fsys, "value 3")

	for range 2 {
		reply := p.get("key003")
		require.Equal(t, wire.StatusDamaged, reply.Status)
		require.Contains(t, reply.Message, ".seg")
	}
	require.Equal(t, wire.StatusDamaged, p.ask(wire.Request{Op: wire.OpScan}).Status)
	require.Equal(t, wire.StatusOK, p.ask(wire.Request{Op: wire.OpKeys}).Status)
	delete(want, "key003")
	p.requireHas(want)
	p.requireWorks()
	_ = p.end(r)

	err := Run(t.Context(), fsys, RunConfig{Dir: "data", Addr: "127.0.0.1:0"})
	require.ErrorIs(t, err, kv.ErrDamaged, "a server does not start over damage to acknowledged data")
}

// corrupt changes a byte of the only place in the segments that holds text.
func corrupt(t *testing.T, fsys afero.Fs, text string) {
	names, err := afero.Glob(fsys, "data/*.seg")
	require.NoError(t, err)
	for _, name := range names {
		content, err := afero.ReadFile(fsys, name)
		require.NoError(t, err)
		if at := strings.Index(string(content), text); at >= 0 {
			require.NoError(t, faultfs.Corrupt(fsys, name, int64(at), func(b []byte) { b[0] ^= 1 }, 1))
			return
		}
	}
	require.Failf(t, "not found", "%q is in none of %v", text, names)
}

func TestFullDiskRefusesWritesServesReadsAndHealsByItself(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	r, p := runOn(t, fsys)
	want := acknowledged(p, 10)
	disk := fsys.Inject(faultfs.Rule{Op: faultfs.OpWrite, Quota: faultfs.Full})
	large := strings.Repeat("v", 100<<10) // needs a segment of its own

	require.Equal(t, wire.StatusDiskFull, p.set("large", large).Status)
	require.Equal(t, wire.StatusDiskFull, p.set("large", large).Status)
	require.Equal(t, wire.StatusNotFound, p.get("large").Status)
	p.requireHas(want)

	disk.Remove()
	require.Equal(t, wire.StatusOK, p.set("large", large).Status, "no restart was needed")
	want["large"] = large
	require.NoError(t, p.end(r))
	fsys.CheckFired(t)

	r, p = runOn(t, fsys)
	p.requireHas(want)
	require.NoError(t, p.end(r))
}

func TestFailedReadIsReportedAndConcernsNoOtherRequest(t *testing.T) {
	fsys := faultfs.New(afero.NewMemMapFs())
	r, p := runOn(t, fsys)
	want := acknowledged(p, 3)
	broken := fsys.Inject(faultfs.MustParse(`read *.seg EIO`)[0])
	require.Equal(t, wire.StatusReadFailed, p.get("key000").Status)
	require.Equal(t, wire.StatusOK, p.set("new", "v").Status)
	broken.Remove()
	p.requireHas(want)
	require.NoError(t, p.end(r))
	fsys.CheckFired(t)
}
