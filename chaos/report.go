package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Report is what a campaign found. Its JSON form is report.json; names there end in the unit where a
// number has one. The zero Report is inconclusive.
//
// A write is one key changed by one acknowledged-or-not request: a BulkSet of five keys is one
// request and five writes.
type Report struct {
	Seed    uint64  `json:"seed"`
	Fault   string  `json:"fault"` // what was done to the server, as ParseFaults reads it
	Control Control `json:"control,omitempty"`
	Sync    string  `json:"sync"` // the server's sync policy
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"` // why the verdict is what it is

	// Cycles counts the rounds of load, kill, restart and read-back that were completed.
	Cycles int `json:"cycles"`
	// KillsMidWrite counts the kills under load that left at least one write, issued before the kill
	// landed, with its outcome unknown.
	KillsMidWrite int `json:"killsMidWrite"`
	// KillsDuringRecovery counts the kills after the server had said that it recovers and before it
	// said that it serves.
	KillsDuringRecovery int `json:"killsDuringRecovery"`

	// Faults has one entry for each of Config.Faults.
	Faults []FaultReport `json:"faults"`
	// Power is about the power cuts of all faults together.
	Power Power `json:"power"`

	Writes         Writes        `json:"writes"`
	Reads          Reads         `json:"reads"`
	Durability     Durability    `json:"durability"`
	Online         Online        `json:"online"`
	Throughput     Throughput    `json:"throughput"`
	LatencyMicros  LatencyByKind `json:"latencyMicros"`
	RecoveryMillis Recovery      `json:"recoveryMillis"`

	// Violations are the first broken promises of each class, at most five of each.
	Violations []Violation `json:"violations"`
	// ServerFailure is set when the server exited unasked, or did not serve again after a kill.
	ServerFailure *ServerFailure `json:"serverFailure,omitempty"`

	Started       time.Time   `json:"started"`
	ElapsedMillis int64       `json:"elapsedMillis"`     // of the whole campaign, start to last read-back
	LoadMillis    int64       `json:"loadMillis"`        // of it, under load
	DataDir       string      `json:"dataDir,omitempty"` // kept as evidence of a failure
	LogDir        string      `json:"logDir,omitempty"`  // the server's logs, one file for each start
	Config        ConfigInfo  `json:"config"`
	Versions      VersionInfo `json:"versions"`
}

// Writes counts writes by how they ended: Issued = OK + Failed + Unknown.
type Writes struct {
	Issued   int64 `json:"issued"`
	OK       int64 `json:"ok"`       // acknowledged
	Failed   int64 `json:"failed"`   // certainly not applied
	Unknown  int64 `json:"unknown"`  // may or may not have been applied
	Requests int64 `json:"requests"` // Set, Delete and BulkSet calls that the writes were made of
	// UnderRules counts those of Failed and Unknown that met a disk that injected rules made fail.
	UnderRules int64 `json:"underRules"`
}

// Reads counts the readers' reads under load. A read cut short by a kill is in neither.
type Reads struct {
	OK     int64 `json:"ok"` // answered, be it with a value or with "not found"
	Failed int64 `json:"failed"`
	// UnderRules counts those of Failed that met a disk that injected rules made fail.
	UnderRules int64 `json:"underRules"`
}

// Durability adds up the read-backs. After each restart every key is read, before any new write.
//
// Checked counts the acknowledged writes that were the newest one on their key at some read-back,
// each once: what was overwritten before a read-back is not there to be checked and does not count,
// and neither does a write overwritten by one of unknown outcome. A write found stable and lost
// later moves from Stable to Lost. A breach of any other promise (a write that was read but never
// acknowledged, a batch there in part, a phantom) also counts as checked, so that always
//
//	Checked = Stable + Lost + RolledBack + Resurrected + Torn + Phantom
//
// Recovered counts keys that show a write of unknown outcome; it is not part of Checked.
type Durability struct {
	Checked     int64 `json:"checked"`
	Stable      int64 `json:"stable"`
	Lost        int64 `json:"lost"`
	RolledBack  int64 `json:"rolledBack"`
	Resurrected int64 `json:"resurrected"`
	Torn        int64 `json:"torn"`
	Phantom     int64 `json:"phantom"`
	Recovered   int64 `json:"recovered"`

	// Rate is the durability rate, Stable / Checked; 0 when nothing was checked.
	Rate float64 `json:"rate"`
	// LossBound95 says how much the rate is worth: with 95 % confidence the true share of writes not
	// accounted for is below it. See [LossBound95] for what that assumes.
	LossBound95 float64 `json:"lossBound95"`
}

// Unaccounted is the number of checked writes that are not stable.
func (d *Durability) Unaccounted() int64 { return d.Checked - d.Stable }

func (d *Durability) count(c Class) *int64 {
	return map[Class]*int64{
		Stable: &d.Stable, Recovered: &d.Recovered, Lost: &d.Lost, RolledBack: &d.RolledBack,
		Resurrected: &d.Resurrected, Torn: &d.Torn, Phantom: &d.Phantom,
	}[c]
}

func (d *Durability) finish() {
	if d.Checked > 0 {
		d.Rate = float64(d.Stable) / float64(d.Checked)
	}
	d.LossBound95 = LossBound95(d.Unaccounted(), d.Checked)
}

// Online counts the breaches seen while the load was on: reads that showed what must not be shown
// (one for each such read, however often the same key is read), acknowledged deletes that were told
// there was nothing to delete, and failed writes whose effect was read.
type Online struct {
	Lost        int64 `json:"lost"`
	RolledBack  int64 `json:"rolledBack"`
	Resurrected int64 `json:"resurrected"`
	Torn        int64 `json:"torn"`
	Phantom     int64 `json:"phantom"`
}

// Total is the sum of all classes.
func (o *Online) Total() int64 {
	return o.Lost + o.RolledBack + o.Resurrected + o.Torn + o.Phantom
}

func (o *Online) count(c Class) *int64 {
	return map[Class]*int64{
		Lost: &o.Lost, RolledBack: &o.RolledBack, Resurrected: &o.Resurrected,
		Torn: &o.Torn, Phantom: &o.Phantom,
	}[c]
}

// Throughput is acknowledged writes and answered reads per second of load: the time from the start
// of the writers to the kill, in every cycle. Start, recovery and read-back are not counted.
type Throughput struct {
	WritesPerSecond        float64 `json:"writesPerSecond"`
	WriteRequestsPerSecond float64 `json:"writeRequestsPerSecond"`
	ReadsPerSecond         float64 `json:"readsPerSecond"`
}

// LatencyByKind holds the latencies of acknowledged write requests and answered reads.
type LatencyByKind struct {
	Write Latency `json:"write"`
	Read  Latency `json:"read"`
}

// Latency is a distribution of successful calls, in microseconds, as the caller saw them. The load
// is a closed loop: while a caller waits it sends nothing, so a stall counts once for each waiting
// caller and not for the requests that would have arrived meanwhile (coordinated omission).
type Latency struct {
	P50  int64 `json:"p50"`
	P99  int64 `json:"p99"`
	P999 int64 `json:"p999"`
	Max  int64 `json:"max"`
}

// Recovery is the time from starting the process after a kill until it said that it serves, in
// milliseconds, over the starts that came that far.
type Recovery struct {
	P50 float64 `json:"p50"`
	Max float64 `json:"max"`
}

// Where a violation was seen.
const (
	whereReadBack = "read-back"
	whereOnline   = "under load"
)

// Violation describes one broken promise.
type Violation struct {
	Class    Class  `json:"class"`
	Where    string `json:"where"` // "read-back" or "under load"
	Cycle    int    `json:"cycle"` // 1 is the first
	Key      string `json:"key"`
	Expected string `json:"expected"`
	Found    string `json:"found"`
}

// String is one line for people.
func (v Violation) String() string {
	return fmt.Sprintf("%s: key %s, cycle %d, %s: expected %s; found %s",
		v.Class, v.Key, v.Cycle, v.Where, v.Expected, v.Found)
}

// ServerFailure describes a server that stopped serving without being asked to.
type ServerFailure struct {
	What    string   `json:"what"`
	LogFile string   `json:"logFile"`
	LogTail []string `json:"logTail"` // the last lines of its log
	// RefusedStart: it ended instead of serving what a crash had left.
	RefusedStart bool `json:"refusedStart"`
}

// ConfigInfo is the configuration that a campaign ran with, defaults filled in.
type ConfigInfo struct {
	Server          []string `json:"server"`
	DurationMillis  int64    `json:"durationMillis"`
	Writers         int      `json:"writers"`
	Readers         int      `json:"readers"`
	Keys            int      `json:"keys"`
	ValueBytes      int      `json:"valueBytes"`
	KillEveryMillis int64    `json:"killEveryMillis"`
}

// VersionInfo says what ran where.
type VersionInfo struct {
	Revision string `json:"revision"` // of the campaign's own executable; "" when it does not know
	Go       string `json:"go"`
	Platform string `json:"platform"` // such as linux/amd64
	CPUs     int    `json:"cpus"`
}

// WriteJSON writes r as indented JSON, the form of report.json.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
