package chaos

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const reportFile = "report.json"

// workspace is where a campaign keeps its files: the report directory, or a temporary one.
type workspace struct {
	root      string
	temporary bool
	dataDir   string // of the server; does not exist before it is started
	logDir    string
	// pendingFile is where a server on the volatile layer says what a power cut would cost.
	pendingFile string
}

// newWorkspace makes the directories. Logs of an earlier campaign in the same report directory go,
// as its report will; evidence of an earlier failure stays, beside what comes now.
func newWorkspace(cfg *Config) (*workspace, error) {
	w := &workspace{root: cfg.ReportDir}
	if w.root == "" {
		var err error
		if w.root, err = os.MkdirTemp(cfg.TempDir, "holdfast-chaos-*"); err != nil {
			return nil, fmt.Errorf("make a temporary directory: %w", err)
		}
		w.temporary = true
	}
	w.logDir = filepath.Join(w.root, "logs")
	if err := os.MkdirAll(w.logDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the log directory: %w", err)
	}
	if err := w.clearLogs(); err != nil {
		return nil, err
	}
	w.pendingFile = filepath.Join(w.root, "pending")
	w.dataDir = filepath.Join(w.root, "data")
	for n := 2; exists(w.dataDir); n++ {
		w.dataDir = filepath.Join(w.root, fmt.Sprintf("data-%d", n))
	}
	return w, nil
}

// logFile names the log of the n-th start of the server.
func (w *workspace) logFile(n int) string {
	return filepath.Join(w.logDir, fmt.Sprintf("server-%04d.log", n))
}

func (w *workspace) clearLogs() error {
	old, err := os.ReadDir(w.logDir)
	if err != nil {
		return fmt.Errorf("look for old logs: %w", err)
	}
	for _, entry := range old {
		if ours, _ := filepath.Match("server-*.log", entry.Name()); !ours {
			continue
		}
		if err := os.Remove(filepath.Join(w.logDir, entry.Name())); err != nil {
			return fmt.Errorf("remove an old log: %w", err)
		}
	}
	return nil
}

// forgetPending removes the pending file, so that what is read of it later is of a later server.
func (w *workspace) forgetPending() error {
	if err := os.Remove(w.pendingFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove the pending file: %w", err)
	}
	return nil
}

// finish stores r where it belongs and removes what is not needed any more. With a verdict of fail
// the data directory stays as evidence, and the report is beside it; otherwise it goes, and so does
// the whole workspace if it is temporary. It tells r what it kept.
func (w *workspace) finish(r *Report) error {
	fail := r.Verdict == Fail
	if fail && exists(w.dataDir) {
		r.DataDir = w.dataDir
	}
	if fail || !w.temporary {
		r.LogDir = w.logDir
	}
	if w.temporary && !fail {
		if err := os.RemoveAll(w.root); err != nil {
			return fmt.Errorf("remove the temporary directory: %w", err)
		}
		return nil
	}
	err := w.forgetPending()
	if !fail {
		err = errors.Join(err, os.RemoveAll(w.dataDir))
	}
	if err != nil {
		err = fmt.Errorf("remove the working files: %w", err)
	}
	return errors.Join(err, w.writeReport(r))
}

// writeReport replaces report.json in one step: who watches for it never reads half of it.
func (w *workspace) writeReport(r *Report) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	name := filepath.Join(w.root, reportFile)
	if err := os.WriteFile(name+".tmp", append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	if err := os.Rename(name+".tmp", name); err != nil {
		return fmt.Errorf("put the report in place: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
