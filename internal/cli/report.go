package cli

import (
	"fmt"
	"strings"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
)

// report is what an import, restore, re-run or deletion did. For a library the field library stands beside course, which
// is there too, so that a program which reads both nouns needs one name only.
type report struct {
	Library string `json:"library,omitempty"`
	*course.Report
	verb string // "imported"
	dry  bool
}

func (c *cli) report(n noun, verb string, r *course.Report) report {
	out := report{Report: r, verb: verb, dry: c.global.dryRun}
	if n.library {
		out.Library = r.Course
	}
	return out
}

func (r report) text(w *textWriter) {
	logs := moments(r.ChangeLog, r.PublishLog, r.DraftsLog)
	switch {
	case r.nothing():
		w.line("%s: nothing differs, nothing written", r.Course)
		return
	case r.dry:
		w.line("%s would be %s", r.Course, r.verb)
	case logs == "":
		w.line("%s %s", r.Course, r.verb)
	default:
		w.line("%s %s, in history as %s", r.Course, r.verb, logs)
	}
	w.line("  blocks: %s", list(r.Created, "created", r.Changed, "changed", r.Moved, "moved", r.Deleted, "deleted", r.Unchanged, "unchanged"))
	if a := r.Assets; a != (course.AssetReport{}) {
		w.line("  files:  %s", list(a.Created, "created", a.Changed, "changed", a.Deleted, "deleted", a.Unchanged, "unchanged", a.Kept, "kept"))
	}
}

// nothing reports whether nothing differed.
func (r report) nothing() bool {
	a := r.Assets
	return r.Created+r.Changed+r.Moved+r.Deleted+a.Created+a.Changed+a.Deleted == 0 && r.ChangeLog == nil && r.PublishLog == nil && r.DraftsLog == nil
}

// moments names the entries of a result in the order in which they were made.
func moments(change, publish, drafts *int64) string {
	var names []string
	for _, log := range []struct {
		letter string
		id     *int64
	}{{"c", change}, {"p", publish}, {"c", drafts}} {
		if log.id != nil {
			names = append(names, fmt.Sprintf("%s%d", log.letter, *log.id))
		}
	}
	return strings.Join(names, ", ")
}

// list writes pairs of a number and its word, those of 0 left out.
func list(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i].(int); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// writeFindings lists findings, each with what to do about it.
func writeFindings(w *textWriter, findings []courseware.Finding) {
	for _, f := range findings {
		w.line("%s", plain(f.String()))
		if f.Remedy != "" {
			w.line("    %s", plain(f.Remedy))
		}
	}
}

// tally counts findings by severity.
func tally(findings []courseware.Finding) (errors, warnings, infos int) {
	for _, f := range findings {
		switch f.Severity {
		case courseware.Error:
			errors++
		case courseware.Warning:
			warnings++
		default:
			infos++
		}
	}
	return errors, warnings, infos
}
