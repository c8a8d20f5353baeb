package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/convert"
)

// converted is the document of a conversion.
type converted struct {
	Courses []convertedCourse `json:"courses"`
	// Problems are those of the site as a whole.
	Problems []oldProblem `json:"problems"`

	dry bool
}

// convertedCourse tells of one course as an import does, and of what it was made of.
type convertedCourse struct {
	*course.Report
	Findings    []courseware.Finding `json:"findings"`
	Key         string               `json:"key"` // in the old store
	Store       string               `json:"store"`
	Status      string               `json:"status"`
	Edited      bool                 `json:"edited"`
	KeyMap      *string              `json:"key_map"`
	Moments     int                  `json:"moments"`
	Skipped     []app.SkippedVersion `json:"versions_skipped"`
	Thumbnails  int                  `json:"thumbnails"`
	FilesLeft   []leftFile           `json:"files_left"`
	Differences []convert.Difference `json:"differences"`
	// Made is what the converter says, null where nothing had to be made.
	Made  *convert.Report `json:"report"`
	Error *convertFailure `json:"error"`
}

type leftFile struct {
	File   string `json:"file"`
	Reason string `json:"reason"`
}

type convertFailure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Thing   string `json:"thing"`
	Next    string `json:"next"`
}

func (c *cli) newConverted(ctx context.Context, r *app.Converted) converted {
	d := converted{Courses: []convertedCourse{}, Problems: newOldProblems(r.Problems), dry: c.global.dryRun}
	for _, x := range r.Courses {
		o := convertedCourse{Report: x.Report, Findings: []courseware.Finding{}, Key: x.Source, Store: x.Store, Status: x.Status, Edited: x.Edited,
			Moments: x.Moments, Thumbnails: x.Thumbnails, FilesLeft: []leftFile{}, Differences: []convert.Difference{}, Made: x.Made}
		if x.KeyMap != "" {
			o.KeyMap = &x.KeyMap
		}
		for _, f := range x.Left {
			o.FilesLeft = append(o.FilesLeft, leftFile{f.Name, f.Why})
		}
		o.Differences = append(o.Differences, x.Differences...)
		o.Skipped = append([]app.SkippedVersion{}, x.Skipped...)
		if x.Made != nil {
			for _, p := range x.Made.Problems {
				o.Findings = append(o.Findings, courseware.Finding{File: p.First, Rule: string(p.Rule), Severity: courseware.Warning,
					Message: fmt.Sprintf("%s: %s", p.Text, count(p.Count, "time", "times"))})
			}
		}
		if x.Err != nil {
			f := c.failure(ctx, x.Err)
			o.Error = &convertFailure{f.Kind.Code(), f.Text, f.Thing, f.Next}
		}
		d.Courses = append(d.Courses, o)
	}
	return d
}

func (d converted) text(w *textWriter) {
	for _, o := range d.Courses {
		switch o.Status {
		case app.CourseFailed:
			w.line("%s: not converted: %s", plain(o.Key), plain(o.Error.Thing+": "+o.Error.Message))
			if o.Error.Next != "" {
				w.line("    %s", plain(o.Error.Next))
			}
		case app.CourseUnchanged:
			edited := ""
			if o.Edited {
				edited = ", and was edited here since"
			}
			w.line("%s: unchanged, here as %s%s", plain(o.Key), o.Course, edited)
		default:
			w.line("%s:", plain(o.Key))
			r := report{Report: o.Report, verb: "converted", dry: d.dry}
			if o.Moments > 0 && r.nothing() {
				w.line("%s converted, all of it in history", o.Course)
			} else {
				r.text(w)
			}
			if o.Moments > 0 {
				w.line("  history: %s", count(o.Moments, "moment", "moments"))
			}
			if n := len(o.Skipped); n > 0 {
				w.line("  not in history: %s, the first %s: %s", count(n, "version", "versions"), o.Skipped[0].Structure, plain(o.Skipped[0].Reason))
			}
		}
		if o.KeyMap != nil {
			w.line("  keys:   %s", *o.KeyMap)
		}
		for _, f := range o.FilesLeft {
			w.line("  file left out: %s: %s", plain(f.File), plain(f.Reason))
		}
		for _, x := range o.Differences {
			if x.Waived == "" {
				w.line("  differs: %s %s %s: %s instead of %s", x.View, plain(x.Block), plain(x.What), plain(x.Is), plain(x.Was))
			}
		}
	}
	writeOldProblems(w, "the site", d.Problems)
}

func (c *cli) convertCommand() *cobra.Command {
	var o app.ConvertOptions
	var site app.OldSite
	var to string
	var all, keepGoing bool
	cmd := &cobra.Command{
		Use: "convert SRC... [COURSE...]", Short: "Bring courses and libraries of an old site here", Args: cobra.MinimumNArgs(1),
		Example: `  lectern legacy convert dump/ AcmeU/BIO1/2013_Spring --dry-run
  lectern legacy convert mongodb://reader@mongo.example/edxapp --org AcmeU --verify --keep-going`,
		Long: `Convert makes of courses of either old store, and of libraries, courses and libraries of this one: drafts, what is published, pages
and static files. Courses of the old store get a key of today, those of the versioned one keep theirs. Each is written in one
transaction, or not at all, and a map of its old and new keys is written beside. What was converted before is brought up to
date; where the source has not changed nothing is read and nothing written, so a command that was stopped goes on where it was.

SRC is what it is for scan; COURSE, or --course, is a key as scan lists it. Without any, and without --org, all are converted. A dry
run does all of it and keeps nothing. Courses that cannot be converted are told of with the reason, and the others go on:
the status is 1 then, and with --keep-going 4.

A course that exists here and was not made of this source is never touched, nor one that was edited here and has changed there,
unless --overwrite says so.`,
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var srcs []string
			for _, arg := range args {
				if len(srcs) == 0 || isSource(arg) {
					srcs = append(srcs, arg)
				} else {
					o.Courses = append(o.Courses, arg)
				}
			}
			if site.Index != "" && len(srcs) > 1 {
				return usage("--index", "the index is of one site, and several sources are named").WithNext("convert one source at a time")
			}
			if all && (len(o.Courses) > 0 || o.Org != "") {
				return usage("--all", "it is all, or what is named").WithNext("leave one of them out")
			}
			if to != "" {
				if o.To, err = keys.ParseCourse(to); err != nil {
					return err
				}
			}
			conf := c.config(making)
			if o.KeyMaps == "" {
				o.KeyMaps = conf.KeyMaps()
			}
			for _, src := range srcs {
				site.Source = src
				if err := app.CheckConvert(cmd.Context(), conf, site, o); err != nil {
					return err
				}
			}
			return c.with(cmd.Context(), making, func(a *app.App) error { return c.convertAll(cmd.Context(), a, site, srcs, o, keepGoing) })
		},
	}
	siteFlags(cmd, &site)
	f := cmd.Flags()
	f.StringArrayVar(&o.Courses, "course", nil, "`key` of a course or library in the old store; may be given again")
	f.StringVar(&o.Org, "org", "", "only courses and libraries of the organization with this short `name`")
	f.BoolVar(&all, "all", false, "all courses and libraries, as without any")
	f.StringVar(&to, "to", "", "`key` to convert the one course to")
	f.StringVar(&o.Run, "run", "", "`name` of the run that courses are converted to (default their own)")
	f.BoolVar(&o.Verify, "verify", false, "read back what is written and compare it with the source before it is kept")
	f.BoolVar(&o.History, "history", false, "make history of the versions that the source has")
	f.IntVar(&o.Depth, "history-depth", 0, "`number` of versions of each branch to make history of (default all)")
	f.IntVar(&o.Jobs, "jobs", 0, "`number` of courses to convert at a time (default one for each processor, at most 4)")
	f.StringVar(&o.KeyMaps, "key-map", "", "`folder` for the maps of keys, or a .csv file for one course (default key-maps beside the data)")
	f.BoolVar(&o.RemapWiki, "remap-wiki", false, "give the course a wiki of its own where it has the usual one")
	f.BoolVar(&o.NoFiles, "no-files", false, "leave static files out")
	f.StringVar(&o.Host, "host", "", "`name` of the old site's host, to find links to itself")
	f.BoolVar(&o.Lenient, "lenient", false, "convert what is there of sources and courses that are not complete")
	f.BoolVar(&o.Overwrite, "overwrite", false, "write over what was edited here since the last conversion")
	f.BoolVar(&keepGoing, "keep-going", false, "end with status 4 where some are not converted")
	messageFlag(cmd, &o.Message)
	return cmd
}

// isSource reports whether an argument is a place to read from, and not the key of a course.
func isSource(arg string) bool {
	if strings.Contains(arg, "://") {
		return true
	}
	_, err := os.Stat(arg)
	return err == nil
}

// convertAll converts one source after the other.
func (c *cli) convertAll(ctx context.Context, a *app.App, site app.OldSite, srcs []string, o app.ConvertOptions, keepGoing bool) error {
	d := converted{Courses: []convertedCourse{}, Problems: []oldProblem{}, dry: c.global.dryRun}
	var failed, unreadable int
	var first error
	for _, src := range srcs {
		site.Source = src
		meter, progress := c.progress()
		var r *app.Converted
		err := a.Recorded(ctx, "legacy convert", site.String(), progress, func(ctx context.Context, p app.Progress) (any, error) {
			o.Progress = p
			var err error
			r, err = a.ConvertOldSite(ctx, site, o)
			return convertSummary(r), err
		})
		meter.end()
		if r != nil {
			part := c.newConverted(ctx, r)
			d.Courses, d.Problems = append(d.Courses, part.Courses...), append(d.Problems, part.Problems...)
			failed, unreadable = failed+r.Failed(), unreadable+r.Problems.Count(modulestore.Unreadable)
			for _, x := range r.Courses {
				if first == nil {
					first = x.Err
				}
			}
		}
		if err != nil {
			if len(d.Courses) > 0 {
				return errors.Join(c.print(d), err)
			}
			return err
		}
	}
	if err := c.print(d); err != nil {
		return err
	}
	switch {
	case failed == 0 && unreadable == 0:
		return nil
	case keepGoing:
		return ended(partly)
	case failed == 1 && len(d.Courses) == 1:
		return first
	case failed > 0:
		return fault.Errorf(fault.Invalid, site.String(), "%d of %s not converted", failed, count(len(d.Courses), "course", "courses")).
			WithNext("see the reasons above; the others are here, and running the command again goes on")
	}
	return fault.Errorf(fault.Invalid, site.String(), "%s cannot be read", count(unreadable, "part", "parts")).WithNext("dump the site again")
}

// convertSummary is what a job keeps of a conversion.
func convertSummary(r *app.Converted) any {
	sum := map[string]int{}
	if r != nil {
		for _, x := range r.Courses {
			sum[x.Status]++
		}
	}
	return sum
}
