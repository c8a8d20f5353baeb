package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/inventory"
	"github.com/openlectern/lectern/oldcourse"
)

// filledDoc is the document of overviews that were taken over.
type filledDoc struct {
	Read     int           `json:"read"`
	Written  int           `json:"written"`
	Kept     int           `json:"kept"`
	Problems []filledIssue `json:"problems"`
}

type filledIssue struct {
	Key  string `json:"key"`
	Text string `json:"text"`
}

func (d filledDoc) text(w *textWriter) {
	w.line("%s read, %d written, %d kept as they were", count(d.Read, "old course", "old courses"), d.Written, d.Kept)
	for _, p := range d.Problems {
		w.line("%s: %s", plain(p.Key), plain(p.Text))
	}
}

func (c *cli) overviewsCommand() *cobra.Command {
	var file string
	var fromDB bool
	cmd := &cobra.Command{
		Use:   "overviews --from-db | --csv FILE",
		Short: "Take over what the platform says of its old courses",
		Long: `Overviews keeps what the platform says of each course with an old key, every column of it, in a table of Lectern's own, from
which it is told when the old store is gone: lectern legacy courses, and /api/lectern/v1/legacy. The platform's table is only read: that of
the same database, or as comma-separated values with the names of the columns in the first line.

It may be run again and again: courses are brought up to date, and those that the platform has no longer stay. A row that cannot be read in
full is listed, and does not take the place of one that can.`,
		Args:    cobra.NoArgs,
		Example: "  lectern legacy overviews --from-db\n  lectern legacy overviews --csv course_overviews_courseoverview.csv",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if fromDB == (file != "") {
				return usage("--csv", "say where from").WithNext("give one of --from-db and --csv FILE")
			}
			var open func() (io.ReadCloser, error)
			if file != "" {
				open = func() (io.ReadCloser, error) {
					f, err := os.Open(file)
					if errors.Is(err, fs.ErrNotExist) {
						err = fault.Errorf(fault.NotFound, file, "%w", err)
					}
					return f, err
				}
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				f, err := a.FillLegacyOverviews(cmd.Context(), open)
				var told *fault.Error
				if err != nil && file != "" && !errors.As(err, &told) {
					err = fault.Errorf(fault.Invalid, file, "%w", err).WithNext("export the table again, with the names of its columns")
				}
				if err != nil {
					return err
				}
				d := filledDoc{f.Read, f.Written, f.Kept, make([]filledIssue, len(f.Problems))}
				for i, p := range f.Problems {
					d.Problems[i] = filledIssue(p)
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().BoolVar(&fromDB, "from-db", false, "from the table course_overviews_courseoverview of the database")
	cmd.Flags().StringVar(&file, "csv", "", "from a `file` with the rows of that table")
	return cmd
}

// legacyCourses is the document of old courses as this store knows them.
type legacyCourses struct {
	Stage   oldcourse.Stage `json:"stage"`
	Warning *string         `json:"warning"`
	Courses []legacyCourse  `json:"courses"`
}

type legacyCourse struct {
	Key         string         `json:"key"`
	Title       string         `json:"title"`
	Org         string         `json:"org"`
	Team        []legacyPerson `json:"team"`
	Enrolled    *int           `json:"enrolled"`     // people now; null where the database has no enrolments
	EverIn      *int           `json:"ever_in"`      // people ever
	LastEdit    *stamp         `json:"last_edit"`    //
	Bytes       *int64         `json:"bytes"`        // in the old store; null where no scan was kept
	ConvertedTo *string        `json:"converted_to"` // the course here that it became
	Rerun       *string        `json:"rerun"`        // what to run to make that one, at the stage warn
	Problem     *string        `json:"problem"`
	Data        any            `json:"data"`    // every column of the platform's overview; of courses that are named only
	Content     any            `json:"content"` // what a scan has kept of the content itself; of courses that are named only
}

type legacyPerson struct {
	User string `json:"user"`
	Role string `json:"role"`
}

func (d legacyCourses) text(w *textWriter) {
	if d.Warning != nil {
		w.line("%s", plain(*d.Warning))
	}
	if len(d.Courses) == 0 {
		w.line("no old courses are known: lectern legacy overviews takes them over")
		return
	}
	w.row("COURSE", "TITLE", "TEAM", "ENROLLED", "LAST EDIT", "SIZE", "CONVERTED TO", "PROBLEM")
	or := func(ok bool, text func() string) string {
		if !ok {
			return "-"
		}
		return text()
	}
	for _, c := range d.Courses {
		team := make([]string, len(c.Team))
		for i, p := range c.Team {
			team[i] = p.User + " (" + p.Role + ")"
		}
		w.row(c.Key, c.Title, strings.Join(team, ", "), or(c.Enrolled != nil, func() string { return fmt.Sprint(*c.Enrolled) }),
			or(c.LastEdit != nil, func() string { return c.LastEdit.short() }), or(c.Bytes != nil, func() string { return sizeText(*c.Bytes) }),
			or(c.ConvertedTo != nil, func() string { return *c.ConvertedTo }), or(c.Problem != nil, func() string { return *c.Problem }))
	}
	for _, c := range d.Courses {
		if c.Rerun != nil {
			w.line("re-run %s: %s", plain(c.Key), *c.Rerun)
		}
	}
}

func (c *cli) oldCoursesCommand() *cobra.Command {
	var search string
	cmd := &cobra.Command{
		Use:   "courses [KEY...]",
		Short: "List the old courses of the site, as this store knows them",
		Long: `Courses lists every course with an old key: who has roles in it, how many people are enrolled, its last edit, its size where a scan was
kept (lectern legacy scan --save), and the course here that it was converted to. It reads this store alone, so it works at every stage, and
when the old store is gone. With KEY it shows these with every column of the platform's overview.`,
		Args:    cobra.ArbitraryArgs,
		Example: "  lectern legacy courses\n  lectern legacy courses AcmeU/BIO1/2013_Spring --json",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				d := legacyCourses{Courses: []legacyCourse{}}
				q := app.LegacyQuery{Keys: args, Search: search}
				for {
					page, err := a.LegacyCourses(cmd.Context(), q)
					if err != nil {
						return err
					}
					d.Stage = page.Stage.Stage
					if text := page.Stage.Text(); text != "" {
						d.Warning = &text
					}
					for _, o := range page.Courses {
						if o.Missing {
							return fault.Errorf(fault.NotFound, o.Key, "%s", o.Problem).WithNext("see: lectern legacy courses")
						}
						d.Courses = append(d.Courses, newLegacyCourse(o, len(args) > 0))
					}
					if q.After = page.Next; q.After == "" {
						return c.print(d)
					}
				}
			})
		},
	}
	cmd.Flags().StringVar(&search, "search", "", "only courses whose key or title contains this `text`")
	return cmd
}

func newLegacyCourse(o app.LegacyCourse, full bool) legacyCourse {
	l := legacyCourse{Key: o.Key, Title: o.Title, Org: o.Org, Team: make([]legacyPerson, len(o.Team)), LastEdit: stampOf(o.LastEdit()), Bytes: o.ScanBytes}
	for i, r := range o.Team {
		l.Team[i] = legacyPerson(r)
	}
	if o.Enrolled != nil {
		l.Enrolled, l.EverIn = &o.Enrolled.Active, &o.Enrolled.All
	}
	if o.Converted != "" {
		l.ConvertedTo = &o.Converted
	}
	if o.Rerun {
		run := "lectern legacy convert SOURCE " + o.Key
		l.Rerun = &run
	}
	if o.Problem != "" {
		l.Problem = &o.Problem
	}
	if full && len(o.Data) > 0 {
		l.Data = o.Data
	}
	if full && len(o.ScanContent) > 0 {
		l.Content = o.ScanContent
	}
	return l
}

// noteSizes keeps what a scan has found of courses with old keys.
func (c *cli) noteSizes(ctx context.Context, r *inventory.Report) error {
	var seen []oldcourse.Seen
	for _, o := range r.Courses {
		if k, old := oldcourse.ParseKey(o.Key); old && !k.Course.IsZero() {
			seen = append(seen, oldcourse.Seen{Key: k.Text, Bytes: o.Bytes, LastEdit: o.LastEdit, Content: contentOf(o.Root)})
		}
	}
	return c.with(ctx, writing, func(a *app.App) error { return a.NoteLegacySizes(ctx, seen) })
}

// contentOf returns the object with these fields; nil for none.
func contentOf(list courseware.Fields) json.RawMessage {
	if len(list) == 0 {
		return nil
	}
	object := make(map[string]json.RawMessage, len(list))
	for _, f := range list {
		object[f.Name] = json.RawMessage(f.Value)
	}
	text, err := json.Marshal(object)
	if err != nil {
		panic(err) // values are JSON
	}
	return text
}

// accessDoc is the document of what a page answers.
type accessDoc struct {
	Allowed  bool    `json:"allowed"`
	Code     *string `json:"code"`
	Status   *int    `json:"status"`
	Text     *string `json:"text"`
	Redirect *string `json:"redirect"`
	Next     *string `json:"next"`
	Warning  *string `json:"warning"`
	Rerun    bool    `json:"offer_rerun"`
}

func (d accessDoc) text(w *textWriter) {
	w.line("%s", map[bool]string{true: "allowed", false: "refused"}[d.Allowed])
	for _, s := range []*string{d.Text, d.Next, d.Warning} {
		if s != nil {
			w.line("  %s", plain(*s))
		}
	}
}

func (c *cli) accessCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "access KEY PAGE",
		Short: "Say what a page of a course answers",
		Long: `Access says what whatever serves learners and authors is to answer for a page of a course, block or file, at the stage that the site is at:
allowed, or refused with a code, the status of HTTP, a text for people and where they are sent. It is the same for everybody. A refusal is
counted. Kinds of pages: ` + strings.Join(oldcourse.Pages(), ", ") + `.`,
		Args:    cobra.ExactArgs(2),
		Example: "  lectern legacy access AcmeU/BIO1/2013_Spring outline",
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				x, err := a.LegacyAccess(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				d := accessDoc{Allowed: x.Allowed, Rerun: x.Rerun}
				for to, s := range map[**string]string{&d.Code: x.Code, &d.Text: x.Text, &d.Redirect: x.Redirect, &d.Next: x.Next, &d.Warning: x.Warning} {
					if s != "" {
						*to = &s
					}
				}
				if x.Status != 0 {
					d.Status = &x.Status
				}
				return c.print(d)
			})
		},
	}
}

// refusalsDoc is the document of how often old courses were refused.
type refusalsDoc struct {
	Refusals []refusalLine `json:"refusals"`
}

type refusalLine struct {
	Course string `json:"course"`
	Page   string `json:"page"`
	Day    string `json:"day"`
	Hits   int64  `json:"hits"`
}

func (d refusalsDoc) text(w *textWriter) {
	if len(d.Refusals) == 0 {
		w.line("nobody was refused")
		return
	}
	w.row("COURSE", "PAGE", "DAY", "REFUSED")
	for _, r := range d.Refusals {
		w.row(r.Course, r.Page, r.Day, r.Hits)
	}
}

func (c *cli) refusalsCommand() *cobra.Command {
	var since, course string
	var limit int
	cmd := &cobra.Command{
		Use:   "refusals",
		Short: "Show how often somebody was refused an old course",
		Long: `Refusals shows by course, kind of page and day how often somebody was refused an old course, at the stage removed: so it can be seen that
nobody misses them before the last copy is put away. Servers write their counts once a minute. The course * stands for keys beyond the first
ten thousand in such a minute.`,
		Args:    cobra.NoArgs,
		Example: "  lectern legacy refusals --since 2027-01-01",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since != "" {
				if _, err := time.Parse(time.DateOnly, since); err != nil {
					return usage("--since", "%q is no day", since).WithNext("write it like 2027-06-30")
				}
			}
			if limit < 1 {
				return usage("--limit", "it is not positive")
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.LegacyRefusals(cmd.Context(), since, course, limit)
				if err != nil {
					return err
				}
				d := refusalsDoc{make([]refusalLine, len(list))}
				for i, h := range list {
					d.Refusals[i] = refusalLine(h)
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "only from this `day` on, such as 2027-06-30")
	cmd.Flags().StringVar(&course, "course", "", "only of the course with this `key`")
	cmd.Flags().IntVar(&limit, "limit", 1000, "at most `N` lines")
	return cmd
}
