package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"holdfast/chaos"
	"holdfast/kv"
)

type chaosCmd struct {
	Duration    time.Duration `default:"30s" help:"How long to go on."`
	Writers     int           `default:"64" help:"Writers, each with one request under way."`
	Readers     int           `default:"8" help:"Readers, each with one read under way."`
	Keys        int           `default:"20000" help:"Keys to write to, at least one for each writer."`
	ValueSize   byteSize      `default:"128B" help:"Size of each value."`
	KillEvery   time.Duration `default:"1200ms" help:"Mean time under load before a kill."`
	Sync        kv.SyncPolicy `default:"always" flagonly:"" help:"Sync policy of the server. With an interval, such as 100ms, writes are OK before they are on disk: a campaign that does not report losses then proves nothing."`
	Fault       []string      `sep:"none" flagonly:"" placeholder:"LIST" help:"What is done to the server, cycle by cycle in turn: kill, power, rules='…', with commas between them. May be given again. Without it kill,power; with --control power."`
	Control     chaos.Control `flagonly:"" placeholder:"NAME" help:"Make the disk ignore syncs of files (no-sync) or of directories (no-dir-sync), which must be found out: exit 6 at the first loss, 1 if there is none."`
	SegmentSize byteSize      `default:"1MiB" help:"Size at which a data file of the server is full. Small ones make it begin new files often, which is where mistakes hide."`
	Seed        uint64        `help:"Where all that is random comes from; 0: a new one, which is printed."`
	Report      string        `placeholder:"DIR" help:"Write report.json and the server's logs there, and on failure keep the data there."`
	JSON        bool          `help:"Print the report as JSON."`
}

// Help is shown below the summary.
func (chaosCmd) Help() string {
	return "Starts a server of its own on a free port and a temporary directory, writes to it, ends it " +
		"while writes are under way, starts it again, reads everything back, and says what became of every acknowledged " +
		"write. Exits 0 if none is missing, 6 if one is or data is damaged, and 1 if too little happened to tell.\n\n" +
		"Faults: kill is SIGKILL. power is a power cut: the server runs on a layer that holds in memory what is not " +
		"synced. rules='sync *.seg #20 EIO; …' makes the disk fail under load, heals it, and wants service to resume; " +
		"go doc holdfast/faultfs has the grammar. Without the single quotes the rules go on to the end of the flag, " +
		"commas and all: --fault kill --fault rules='write * quota=0', a full disk, as the shell eats the quotes."
}

// Run runs one campaign with this very program as the server.
func (cmd *chaosCmd) Run(ctx context.Context, env *Env) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program, to start it as the server: %w", err)
	}
	cfg, err := cmd.config(exe)
	if err != nil {
		return err
	}
	if env.IsTerminal(env.Stderr) {
		cfg.Progress = env.Stderr
	}
	r, err := chaos.Run(ctx, cfg)
	return cmd.conclude(env.Stdout, r, err)
}

// conclude shows the report and makes the error of the command. What was found counts, and is shown,
// even if it could not be stored.
func (cmd *chaosCmd) conclude(out io.Writer, r *chaos.Report, err error) error {
	if err != nil {
		err = fmt.Errorf("campaign: %w", err)
	}
	if r == nil {
		return err
	}
	return errors.Join(verdict(r), err, printReport(out, r, cmd.JSON))
}

func (cmd *chaosCmd) config(exe string) (chaos.Config, error) {
	for _, n := range []struct {
		flag     string
		ok       bool
		expected string
	}{
		{"--duration", cmd.Duration > 0, "above zero"},
		{"--kill-every", cmd.KillEvery > 0, "above zero"},
		{"--writers", cmd.Writers > 0, "at least 1"},
		{"--readers", cmd.Readers >= 0, "at least 0"},
		{"--keys", cmd.Keys >= cmd.Writers, "at least --writers"},
		{"--value-size", cmd.ValueSize >= chaos.MinValueBytes, fmt.Sprintf("at least %d", chaos.MinValueBytes)},
	} {
		if !n.ok {
			return chaos.Config{}, usageError{fmt.Errorf("%s must be %s", n.flag, n.expected)}
		}
	}
	faults, err := cmd.faults()
	if err != nil {
		return chaos.Config{}, usageError{err}
	}
	cfg := chaos.Config{
		Faults: faults, Control: cmd.Control,
		Server:   []string{exe, "serve", "--segment-size", strconv.FormatInt(int64(cmd.SegmentSize), 10)},
		Duration: cmd.Duration, KillEvery: cmd.KillEvery, Sync: cmd.Sync.String(),
		Writers: cmd.Writers, Readers: cmd.Readers, Keys: cmd.Keys, ValueSize: int(cmd.ValueSize),
		Seed: cmd.Seed, ReportDir: cmd.Report,
	}
	if cfg.Readers == 0 {
		cfg.Readers = -1 // zero would mean the default
	}
	return cfg, nil
}

// faults reads the lists of all flags --fault into one. Control decides what goes with it.
func (cmd *chaosCmd) faults() (all []chaos.Fault, err error) {
	lists := cmd.Fault
	if len(lists) == 0 && cmd.Control == "" {
		lists = []string{"kill,power"}
	}
	for _, list := range lists {
		faults, err := chaos.ParseFaults(list)
		if err != nil {
			return nil, fmt.Errorf("--fault: %w", err)
		}
		all = append(all, faults...)
	}
	if err := cmd.Control.Check(all); err != nil {
		return nil, fmt.Errorf("--control: %w", err)
	}
	return all, nil
}

// verdict is the error that stands for what a campaign found; nil for a pass.
func verdict(r *chaos.Report) error {
	switch r.Verdict {
	case chaos.Pass:
		return nil
	case chaos.Fail:
		return fmt.Errorf("%w: %s", errLoss, r.Reason)
	default:
		return errors.New("the campaign is inconclusive: " + r.Reason)
	}
}
