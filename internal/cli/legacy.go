package cli

import (
	"context"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/inventory"
)

// oldCourses is the document of an old site.
type oldCourses struct {
	Courses []oldCourse `json:"courses"`
	// Problems are those of the site as a whole.
	Problems  []oldProblem `json:"problems"`
	Loose     loose        `json:"loose"`
	Documents int          `json:"documents"`
	Bytes     int64        `json:"bytes"`

	detailed bool
}

type oldCourse struct {
	Key         string       `json:"key"`
	Store       string       `json:"store"`
	Blocks      int          `json:"blocks"`
	Drafts      int          `json:"drafts"`
	Versions    int          `json:"versions"`
	Bytes       int64        `json:"bytes"`
	Files       int          `json:"files"`
	FileBytes   int64        `json:"file_bytes"`
	Assets      int          `json:"assets"`
	LastEdit    *stamp       `json:"last_edit"`
	ConvertedTo *string      `json:"converted_to"`
	Problems    []oldProblem `json:"problems"`
}

// oldProblem is an anomaly of one kind.
type oldProblem struct {
	Rule  string `json:"rule"`
	Count int    `json:"count"`
	What  string `json:"what"`
	First string `json:"first"`
}

// loose are structures that no course leads to.
type loose struct {
	Structures int   `json:"structures"`
	Bytes      int64 `json:"bytes"`
}

func newOldCourses(r *inventory.Report, here map[string]string, detailed bool) oldCourses {
	d := oldCourses{Courses: make([]oldCourse, len(r.Courses)), Problems: newOldProblems(r.Problems), Loose: loose(r.Loose), Documents: r.Documents, Bytes: r.Bytes, detailed: detailed}
	for i, c := range r.Courses {
		o := oldCourse{Key: c.Key, Store: c.Store, Blocks: c.Blocks, Drafts: c.Drafts, Versions: c.Versions, Bytes: c.Bytes, Files: c.Files,
			FileBytes: c.FileBytes, Assets: c.Assets, Problems: newOldProblems(c.Problems)}
		if !c.LastEdit.IsZero() {
			o.LastEdit = stampOf(&c.LastEdit)
		}
		if key, has := here[c.Key]; has {
			o.ConvertedTo = &key
		}
		d.Courses[i] = o
	}
	return d
}

func newOldProblems(t modulestore.Tally) []oldProblem {
	list := []oldProblem{}
	for _, p := range t.Problems() {
		list = append(list, oldProblem{string(p.Rule), p.Count, p.Rule.Text(), p.First})
	}
	return list
}

func (d oldCourses) text(w *textWriter) {
	if d.detailed {
		d.details(w)
	} else {
		d.table(w)
	}
	writeOldProblems(w, "the site", d.Problems)
	if d.Loose.Structures > 0 {
		w.line("%s of no course, %s", count(d.Loose.Structures, "structure", "structures"), sizeText(d.Loose.Bytes))
	}
}

func (d oldCourses) table(w *textWriter) {
	w.row("COURSE", "STORE", "BLOCKS", "DRAFTS", "VERSIONS", "SIZE", "FILES", "SIZE", "LAST EDIT", "PROBLEMS", "HERE")
	for _, c := range d.Courses {
		problems := 0
		for _, p := range c.Problems {
			problems += p.Count
		}
		w.row(c.Key, c.Store, c.Blocks, c.Drafts, c.Versions, sizeText(c.Bytes), c.Files, sizeText(c.FileBytes), c.edited(), problems, yesNo(c.ConvertedTo != nil))
	}
}

func (d oldCourses) details(w *textWriter) {
	for _, c := range d.Courses {
		w.line("%s", plain(c.Key))
		w.row("  store", c.Store)
		w.row("  blocks", fmt.Sprintf("%d, %s", c.Blocks, count(c.Drafts, "draft", "drafts")))
		w.row("  versions", fmt.Sprintf("%d, %s", c.Versions, sizeText(c.Bytes)))
		w.row("  files", fmt.Sprintf("%d, %s", c.Files, sizeText(c.FileBytes)))
		w.row("  last edit", c.edited())
		if c.ConvertedTo != nil {
			w.row("  here as", *c.ConvertedTo)
		}
		writeOldProblems(w, c.Key, c.Problems)
	}
}

func (c oldCourse) edited() string {
	if c.LastEdit == nil {
		return "unknown"
	}
	return c.LastEdit.short()
}

func writeOldProblems(w *textWriter, of string, list []oldProblem) {
	if len(list) == 0 {
		return
	}
	w.line("problems of %s:", plain(of))
	for _, p := range list {
		w.row("  "+p.Rule, p.Count, p.What, p.First)
	}
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, at := float64(n)/unit, 0
	for f >= unit && at < 3 {
		f, at = f/unit, at+1
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGT"[at])
}

func (c *cli) legacyCommand() *cobra.Command {
	return c.family("legacy", "Look into the old stores of an Open edX site, and bring their courses here",
		verb{c.oldSiteCommand("scan SRC", "List the courses and libraries of an old site", `Scan reads a site's MongoDB once and lists every course and library of both old stores with its size, its drafts and files, and how
much is wrong with it.`, "lectern legacy scan dump/", false), oldCourses{}},
		verb{c.oldSiteCommand("report SRC [COURSE...]", "Report on courses of an old site in full", `Report reads what scan does, and also the content of the versioned store and all bytes of files, and says of every course what is
wrong with it: each kind of problem by its rule, how often it was met, and where first.`, "lectern legacy report site.archive.gz AcmeU/BIO1/2013_Spring", true), oldCourses{}},
		verb{c.convertCommand(), converted{}},
		verb{c.stageCommand(), stageDoc{}}, verb{c.overviewsCommand(), filledDoc{}}, verb{c.oldCoursesCommand(), legacyCourses{}},
		verb{c.accessCommand(), accessDoc{}}, verb{c.refusalsCommand(), refusalsDoc{}})
}

func (c *cli) oldSiteCommand(use, short, long, example string, full bool) *cobra.Command {
	var site app.OldSite
	var table, save bool
	args := cobra.ExactArgs(1)
	if full {
		args = cobra.MinimumNArgs(1)
	}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: args, Example: "  " + example + "\n  lectern legacy " + strings.Fields(use)[0] + ` mongodb://reader@mongo.example/edxapp --csv`,
		Long: long + `

SRC is a folder or an --archive file that mongodump wrote, packed or not, or the address of a server, mongodb://host/database.
Nothing is ever written there. A site with the SQL table of course indexes keeps that up to date first: give it with --index.
Of courses that are in the store here, converted_to is their key. The status is 1 when parts of the
source cannot be read; what can be is listed all the same.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			site.Source = args[0]
			meter, progress := c.progress()
			r, err := app.ListOldSite(cmd.Context(), site, full, progress)
			meter.end()
			if err != nil {
				return err
			}
			if err := only(r, args[1:]); err != nil {
				return err
			}
			here, err := c.here(cmd.Context(), r)
			if err != nil {
				return err
			}
			if save {
				if err := c.noteSizes(cmd.Context(), r); err != nil {
					return err
				}
			}
			d := newOldCourses(r, here, full)
			if table {
				err = c.oldTable(d)
			} else {
				err = c.print(d)
			}
			if n := r.Problems.Count(modulestore.Unreadable); n > 0 && err == nil {
				err = fault.Errorf(fault.Invalid, site.String(), "%s cannot be read", count(n, "part", "parts")).WithNext("dump the site again")
			}
			return err
		},
	}
	siteFlags(cmd, &site)
	if !full {
		cmd.Flags().BoolVar(&save, "save", false, "keep the sizes and last edits of courses with old keys, and what only their content says, for lectern legacy courses")
	}
	cmd.Flags().BoolVar(&table, "csv", false, "print the courses as comma-separated values")
	return cmd
}

func siteFlags(cmd *cobra.Command, site *app.OldSite) {
	cmd.Flags().StringVar(&site.Database, "database", "", "`name` of the database, where SRC has several (default: the only one; of a server edxapp)")
	cmd.Flags().StringVar(&site.Index, "index", "", "CSV `file` of the table split_modulestore_django_splitmodulestorecourseindex, or the address of the database with it")
}

// only leaves the courses with these keys in a report.
func only(r *inventory.Report, wanted []string) error {
	if len(wanted) == 0 {
		return nil
	}
	for _, key := range wanted {
		if !slices.ContainsFunc(r.Courses, func(c *inventory.Course) bool { return c.Key == key }) {
			return fault.Errorf(fault.NotFound, key, "the site has no such course or library").WithNext("see: lectern legacy scan")
		}
	}
	r.Courses = slices.DeleteFunc(r.Courses, func(c *inventory.Course) bool { return !slices.Contains(wanted, c.Key) })
	return nil
}

// here asks the store, if there is one, which of the courses it has: who looks at an old site first has none yet. That a named
// one is missing is told, as it may be misspelt.
func (c *cli) here(ctx context.Context, r *inventory.Report) (here map[string]string, err error) {
	err = c.with(ctx, reading, func(a *app.App) error {
		here, err = a.Here(ctx, r)
		return err
	})
	if !fault.Is(err, fault.NotFound) {
		return here, err
	}
	if conf := c.config(reading); conf.DB != "" || conf.Data != "" {
		c.note(err.Error() + " yet, so nothing counts as converted")
	}
	return nil, nil
}

// oldTable prints the courses for other programs, times as in the document, problems as rule=count.
func (c *cli) oldTable(d oldCourses) error {
	w := csv.NewWriter(c.env.Stdout)
	rows := [][]string{{"key", "store", "blocks", "drafts", "versions", "bytes", "files", "file_bytes", "assets", "last_edit", "converted_to", "problems"}}
	for _, o := range d.Courses {
		var edited, converted string
		if o.LastEdit != nil {
			edited = o.LastEdit.String()
		}
		if o.ConvertedTo != nil {
			converted = *o.ConvertedTo
		}
		var problems []string
		for _, p := range o.Problems {
			problems = append(problems, fmt.Sprintf("%s=%d", p.Rule, p.Count))
		}
		rows = append(rows, []string{o.Key, o.Store, strconv.Itoa(o.Blocks), strconv.Itoa(o.Drafts), strconv.Itoa(o.Versions), strconv.FormatInt(o.Bytes, 10),
			strconv.Itoa(o.Files), strconv.FormatInt(o.FileBytes, 10), strconv.Itoa(o.Assets), edited, converted, strings.Join(problems, " ")})
	}
	if err := w.WriteAll(rows); err != nil {
		return fault.Errorf(fault.Unavailable, "standard output", "%w", err)
	}
	return nil
}
