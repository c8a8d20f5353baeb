package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/fault"
)

// teamChanged is the document of changed assignments.
type teamChanged struct {
	Completed []teamRow `json:"completed"`
	Errors    []teamRow `json:"errors"`
}

type teamRow struct {
	User   string `json:"user"`
	Role   string `json:"role"`
	Scope  string `json:"scope"`
	Status string `json:"status,omitempty"` // added, present, removed or absent
	Error  string `json:"error,omitempty"`  // a word such as user_not_found
	Text   string `json:"text,omitempty"`
}

func newTeamChanged(w *authz.Written) teamChanged {
	d := teamChanged{[]teamRow{}, []teamRow{}}
	for _, r := range w.Results {
		row := teamRow{User: r.Grant.User, Role: r.Grant.Role, Scope: r.Grant.Scope}
		if r.Err == nil {
			row.Status = r.Outcome.String()
			d.Completed = append(d.Completed, row)
			continue
		}
		row.Error, row.Text = string(r.Err.Reason), r.Err.Err.Error()
		d.Errors = append(d.Errors, row)
	}
	return d
}

func (d teamChanged) text(w *textWriter) {
	n := map[string]int{}
	for _, r := range d.Completed {
		n[r.Status]++
	}
	var parts []string
	for _, s := range []string{"added", "present", "removed", "absent"} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing to do"}
	}
	w.line("%s", strings.Join(parts, ", "))
	for _, r := range d.Errors {
		w.line("not done: %s as %s in %s: %s", plain(r.User), plain(r.Role), plain(r.Scope), plain(r.Text))
	}
}

type changeTeams func(*app.App, context.Context, []authz.Grant, app.TeamChange) (*authz.Written, error)

func (c *cli) authzAssign(name string, change changeTeams) *cobra.Command {
	var change1 app.TeamChange
	var file string
	short, what := "Give users a role in scopes", `Assign gives each user the role in each scope; who has it already keeps it.`
	if name == "unassign" {
		short, what = "Take a role in scopes back from users", `Unassign takes the role in each scope back from each user, if they have it in exactly that scope: a role in all
of an organization stays where one of its courses is named.`
	}
	cmd := &cobra.Command{
		Use: name + " (USER… ROLE SCOPE… | --csv FILE)", Short: short,
		Long: what + `

A scope is a course (course-v1:ORG+COURSE+RUN), a library (lib:ORG:SLUG), all courses or libraries of an organization
(course-v1:ORG+*, lib:ORG:*) or all there are (course-v1:*, lib:*). What begins with one of these kinds and a colon is a scope, what
stands before them is the role, and the rest are user names.

With --csv the lines of a file are user,role,scope; a first line of just these words is passed over. All is done or nothing,
unless --keep-going is given: then what cannot be done is told of, and the command ends with status 4.`,
		Example: `  lectern authz ` + name + ` jo kim course_staff course-v1:ORG+COURSE+RUN --reason 'new term'
  lectern authz ` + name + ` jo library_author 'lib:ORG:*' --dry-run
  lectern authz ` + name + ` --csv team.csv --keep-going`,
		Args: func(_ *cobra.Command, args []string) error {
			if file != "" && len(args) > 0 {
				return usage("--csv", "the file says who, which role and where").WithNext("leave out the other arguments")
			}
			if file == "" {
				_, err := grantsOf(args)
				return err
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			var grants []authz.Grant
			if file == "" {
				grants, err = grantsOf(args)
			} else {
				grants, err = c.grantsIn(file)
			}
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				w, err := change(a, cmd.Context(), grants, change1)
				if err != nil {
					return err
				}
				d := newTeamChanged(w)
				if err := c.print(d); err != nil {
					return err
				}
				if len(d.Errors) > 0 {
					return ended(4)
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&file, "csv", "", "`file` of lines user,role,scope; - is standard input")
	cmd.Flags().StringVar(&change1.Reason, "reason", "", "`text` for the audit")
	cmd.Flags().BoolVar(&change1.KeepGoing, "keep-going", false, "do what can be done, and tell of the rest")
	return cmd
}

// grantsOf reads USER… ROLE SCOPE….
func grantsOf(args []string) ([]authz.Grant, error) {
	first := slices.IndexFunc(args, func(s string) bool { return strings.Contains(s, ":") })
	switch {
	case first < 0:
		return nil, usage(strings.Join(args, " "), "the scope is missing").WithNext("write: USER… ROLE SCOPE…, as in: jo course_staff course-v1:ORG+COURSE+RUN")
	case first < 2:
		return nil, usage(strings.Join(args, " "), "before the scope there are a user and a role").WithNext("write: USER… ROLE SCOPE…, as in: jo course_staff course-v1:ORG+COURSE+RUN")
	}
	var grants []authz.Grant
	for _, scope := range args[first:] {
		for _, user := range args[:first-1] {
			grants = append(grants, authz.Grant{User: user, Role: args[first-1], Scope: scope})
		}
	}
	return grants, nil
}

// maxCSV is how large a file of assignments may be, in bytes.
const maxCSV = 256 << 20

// grantsIn reads a file of lines user,role,scope.
func (c *cli) grantsIn(name string) (grants []authz.Grant, err error) {
	in := c.env.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCSV+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxCSV {
		return nil, fault.Errorf(fault.Invalid, name, "the file is larger than 256 MiB").WithNext("cut it into several")
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	r.FieldsPerRecord = 3
	r.ReuseRecord = true
	r.TrimLeadingSpace = true
	for {
		line, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, name, "%w", err).WithNext("write lines like: jo,course_staff,course-v1:ORG+COURSE+RUN")
		}
		g := authz.Grant{User: strings.TrimSpace(line[0]), Role: strings.TrimSpace(line[1]), Scope: strings.TrimSpace(line[2])}
		if len(grants) == 0 && g == (authz.Grant{User: "user", Role: "role", Scope: "scope"}) {
			continue
		}
		grants = append(grants, g)
	}
	if len(grants) == 0 {
		return nil, fault.Errorf(fault.Invalid, name, "the file has no lines").WithNext("write lines like: jo,course_staff,course-v1:ORG+COURSE+RUN")
	}
	return grants, nil
}
