package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"holdfast/kv"
)

type checkCmd struct {
	Dir  string `arg:"" placeholder:"DIR" help:"Directory of the data."`
	JSON bool   `help:"Print the report as one JSON object."`
}

// Help is shown below the summary.
func (checkCmd) Help() string {
	return "Reads every file of a store that no server has open, and changes nothing. It goes on behind the first damage, and says what is " +
		"damaged, which keys that touches, and what the server would do with the store. Keys are named, values never shown. " +
		"Exits 0 if all is whole, also where a torn tail would be cut: a crash leaves one, and damage to the writes of the last second before a crash cannot be told from it. " +
		"Exits 6 on damage, 1 if there is no store or a file cannot be read, 7 if the store is in use and 9 if its format is too new."
}

// Run checks one store.
func (cmd *checkCmd) Run(env *Env) error {
	r, err := kv.Check(env.FS, cmd.Dir, nil)
	if r == nil {
		return err
	}
	if r.Verdict == kv.VerdictDamaged {
		err = errors.Join(fmt.Errorf("the store in %s is %w", cmd.Dir, kv.ErrDamaged), err)
	}
	if cmd.JSON {
		return errors.Join(err, printJSON(env.Stdout, r))
	}
	return errors.Join(err, writeCheck(env.Stdout, r))
}

// writeCheck prints a report for people.
func writeCheck(out io.Writer, r *kv.CheckReport) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	store := r.Store
	if store == "" {
		store = "unknown"
	}
	fmt.Fprintf(w, "store\t%s\nkeys\t%d, in %d whole records\n", store, r.Keys, r.Records)
	for _, m := range r.Manifests {
		counts := ""
		if m.Counts {
			counts = "; it counts"
		}
		fmt.Fprintf(w, "manifest\t%s: %s%s\n", m.File, m.State, counts)
	}
	if len(r.Segments) > 0 {
		fmt.Fprint(w, "\nsegment\tkind\tstate\tbytes\trecords\tsequence numbers\tdamages\n")
	}
	for _, s := range r.Segments {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%s\t%d\n", s.File, s.Kind, s.State, s.Bytes, s.Records, seqRange(s.FirstSeq, s.LastSeq), s.Damages)
	}
	writeDamages(w, r)
	for _, note := range r.Notes {
		fmt.Fprintf(w, "\nnote: %s\n", note)
	}
	fmt.Fprintf(w, "\nverdict: %s\n", verdictText(r))
	return w.Flush()
}

func writeDamages(w io.Writer, r *kv.CheckReport) {
	if r.DamagesTotal > 0 {
		fmt.Fprint(w, "\ndamaged\toffset\tlength\tsequence numbers\twhat was found\n")
	}
	for _, d := range r.Damages {
		seqs := "none known"
		if d.FirstSeq > 0 {
			seqs = seqRange(d.FirstSeq, d.LastSeq)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", d.File, d.Offset, d.Length, seqs, d.Reason)
	}
	writeRest(w, r.DamagesTotal-len(r.Damages))
	if r.TouchedTotal > 0 {
		fmt.Fprint(w, "\ntouched key\tfile\toffset\tsequence number\tan older record that is whole\n")
	}
	for _, k := range r.Touched {
		older := "none"
		if k.OlderSeq > 0 {
			older = fmt.Sprint(k.OlderSeq)
		}
		fmt.Fprintf(w, "%.200q\t%s\t%d\t%d\t%s\n", k.Key, k.File, k.Offset, k.Seq, older)
	}
	writeRest(w, r.TouchedTotal-len(r.Touched))
	if gone := goneText(r); gone != "" {
		fmt.Fprintf(w, "\n%s: any key may be missing here, and of those that are there %d may be older than acknowledged\n", gone, r.MaybeOlder)
	}
}

// goneText says how many records are gone with the names of their keys; "" for none.
func goneText(r *kv.CheckReport) string {
	switch {
	case r.MissingUnknown && r.MissingRecords == 0:
		return "how many records are gone is not known, nor of which keys"
	case r.MissingUnknown:
		return fmt.Sprintf("%d records are gone, perhaps more, and nobody knows of which keys", r.MissingRecords)
	case r.MissingRecords > 0:
		return fmt.Sprintf("%d records are gone, and nobody knows of which keys", r.MissingRecords)
	}
	return ""
}

func writeRest(w io.Writer, n int) {
	if n > 0 {
		fmt.Fprintf(w, "… and %d more\n", n)
	}
}

func seqRange(first, last uint64) string {
	switch {
	case last == 0:
		return fmt.Sprintf("%d on", first)
	case last < first:
		return "none"
	case last == first:
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d to %d", first, last)
}

func verdictText(r *kv.CheckReport) string {
	switch r.Verdict {
	case kv.VerdictClean:
		return "clean"
	case kv.VerdictTorn:
		return fmt.Sprintf("clean, with a torn tail: %d bytes at offset %d of %s would be cut: torn by a crash, or damage to the writes of the last second before it; these cannot be told apart",
			r.CutBytes, r.CutOffset, r.CutFile)
	case kv.VerdictDamaged:
		return "damaged: a server would refuse it with: " + r.OpenError
	}
	if r.OpenError == "" {
		return "not known: a file cannot be read"
	}
	return "a server would fail with: " + r.OpenError
}
