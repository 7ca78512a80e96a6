package mutants

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// Report sums up a run.
type Report struct {
	Mutants       int      `json:"mutants"`
	Caught        int      `json:"caught"` // by a failing test or by a timeout
	Hung          int      `json:"caughtByTimeout"`
	Explained     int      `json:"equivalent"`
	NotCaught     []string `json:"notCaught"`
	Broken        []string `json:"errorsInTheList"`
	MedianSeconds float64  `json:"medianSeconds"`
	MaxSeconds    float64  `json:"maxSeconds"`
	MedianCPU     float64  `json:"medianCpuSeconds"`
	MaxCPU        float64  `json:"maxCpuSeconds"`
	Results       []Result `json:"results"`
}

// NewReport sums up results, which are all of one run.
func NewReport(results []Result) *Report {
	r := &Report{Mutants: len(results), NotCaught: []string{}, Broken: []string{}, Results: results}
	for _, result := range results {
		switch result.Outcome {
		case Hung:
			r.Hung++
			r.Caught++
		case Caught:
			r.Caught++
		case Explained:
			r.Explained++
		case Survived:
			r.NotCaught = append(r.NotCaught, result.Name)
		default:
			r.Broken = append(r.Broken, result.Name)
		}
	}
	r.MedianSeconds, r.MaxSeconds = medianAndMax(results, func(x *Result) float64 { return x.Seconds })
	r.MedianCPU, r.MaxCPU = medianAndMax(results, func(x *Result) float64 { return x.CPUSeconds })
	return r
}

// OK reports whether every mutant was caught or is explained.
func (r *Report) OK() bool { return len(r.NotCaught) == 0 && len(r.Broken) == 0 }

func medianAndMax(results []Result, of func(*Result) float64) (median, most float64) {
	if len(results) == 0 {
		return 0, 0
	}
	var seconds []float64
	for i := range results {
		seconds = append(seconds, of(&results[i]))
	}
	slices.Sort(seconds)
	return seconds[len(seconds)/2], seconds[len(seconds)-1]
}

// WriteLine prints one result.
func (r *Result) WriteLine(w io.Writer) error {
	by := ""
	if r.Check != "" {
		by = fmt.Sprintf(" by %s, %s", r.Check, r.Test)
	}
	line := fmt.Sprintf("%-42s %6.1f s (%.1f s of CPU)  %s%s", r.Name, r.Seconds, r.CPUSeconds, r.Outcome, by)
	if r.Outcome == Broken || r.Outcome == Survived {
		line += "\n    " + r.Rule + strings.ReplaceAll("\n"+r.Details, "\n", "\n    ")
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	return err
}

// Write prints the sums and the table by group, in Markdown.
func (r *Report) Write(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 1, ' ', 0)
	fmt.Fprintf(tw, "| group\t| mutants\t| caught\t| equivalent\t| not caught\t| by\t| median, s\t| max, s\t| median CPU, s\t|\n")
	fmt.Fprintf(tw, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|\n")
	var groups []string
	for _, result := range r.Results {
		if !slices.Contains(groups, result.Group) {
			groups = append(groups, result.Group)
		}
	}
	for _, group := range groups {
		of := slices.DeleteFunc(slices.Clone(r.Results), func(x Result) bool { return x.Group != group })
		NewReport(of).writeRow(tw, group)
	}
	r.writeRow(tw, "total")
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d mutants, %d caught (%d of them by timeout), %d equivalent, %d not caught, %d errors in the list; median %.1f s, max %.1f s (of CPU: %.1f and %.1f s)\n%s%s",
		r.Mutants, r.Caught, r.Hung, r.Explained, len(r.NotCaught), len(r.Broken), r.MedianSeconds, r.MaxSeconds,
		r.MedianCPU, r.MaxCPU, listed("not caught", r.NotCaught), listed("errors in the list", r.Broken))
	return err
}

func (r *Report) writeRow(w io.Writer, group string) {
	by := map[string]int{}
	for _, result := range r.Results {
		if result.Outcome == Caught || result.Outcome == Hung {
			by[result.Check]++
		}
	}
	var checks []string
	for _, check := range slices.Sorted(maps.Keys(by)) {
		checks = append(checks, fmt.Sprintf("%s %d", check, by[check]))
	}
	fmt.Fprintf(w, "| %s\t| %d\t| %d\t| %d\t| %d\t| %s\t| %.1f\t| %.1f\t| %.1f\t|\n", group, r.Mutants, r.Caught, r.Explained,
		len(r.NotCaught)+len(r.Broken), strings.Join(checks, ", "), r.MedianSeconds, r.MaxSeconds, r.MedianCPU)
}

func listed(what string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return what + ": " + strings.Join(names, ", ") + "\n"
}
