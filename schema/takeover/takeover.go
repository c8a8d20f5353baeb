package takeover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/schema"
)

// Options say how far a take-over goes and how it settles what needs a decision.
type Options struct {
	To           string // the row of openedx_content after which to stop, whole or its number; "" is the last
	Codes        []Code // chosen for keys that cannot be codes
	CodesFile    string // what errors call the file they came from
	DeriveCodes  bool   // containers without a chosen code get the proposed one
	Catalog      bool   // bring the tables of course identity, too
	quick        bool   // leave out checks that read all rows and only warn
	PlatformRows bool   // write the rows of platform apps whose migrations only follow content's (content-migrations.md §5.2)
}

// Plan is what a take-over would do. Steps are empty where it would be refused, and where nothing is to do.
type Plan struct {
	State    schema.State
	Steps    []Step
	Findings []schema.Finding // what stands in the way, and warnings
	Codes    []Code           // one for each key that cannot be a code, with a proposed code that could
	Refusal  error            // fault.Refused with the reason and the next step; nil where the plan can be carried out

	codes   *codes
	todo    []step // those that may be needed
	content bool   // content's are among them
}

// NewPlan looks at a database and says what a take-over would do. It writes nothing. A wrong option is fault.Usage or
// fault.Invalid.
func NewPlan(ctx context.Context, d *db.DB, o Options) (*Plan, error) {
	all, err := o.steps()
	if err != nil {
		return nil, err
	}
	p := &Plan{Findings: []schema.Finding{}}
	if p.State, err = schema.Recognize(ctx, d); err != nil {
		return nil, err
	}
	p.todo = all
	if p.Refusal = refusal(&p.State, o); p.Refusal != nil {
		if p.State.Status != schema.Foreign || p.State.Authz == "A0" {
			return p, nil
		}
		p.todo, p.Refusal = nil, nil // permissions do not wait for content
	}
	if p.Findings, err = brokenViews(ctx, d); err != nil {
		return nil, err
	}
	err = d.View(ctx, func(tx *db.Tx) error {
		s, err := look(ctx, tx)
		if err == nil && o.Catalog {
			err = errors.Join(s.lookOrganizations(ctx, tx), s.lookCourses(ctx, tx))
		}
		if err != nil {
			return err
		}
		if p.todo != nil {
			if p.Refusal = s.refusal(&p.State, o); p.Refusal != nil {
				if p.State.Status != schema.Foreign || p.State.Authz == "A0" || o.Catalog {
					return nil
				}
				p.todo, p.Refusal = nil, nil
			}
		}
		p.content = p.todo != nil
		found, unmoved, err := p.permissions(ctx, tx, s)
		if err != nil {
			return err
		}
		if err := p.fill(ctx, tx, schema.DialectOf(d), s, p.todo, o); err != nil {
			return err
		}
		p.Findings = append(p.Findings, found...)
		if p.Refusal == nil && len(p.Steps) == 0 {
			p.Refusal = unmoved // nothing else is to do
		}
		return nil
	})
	return p, err
}

// steps returns the steps that may be needed, up to the last that is wanted.
func (o *Options) steps() ([]step, error) {
	all := contentSteps()
	if o.To != "" {
		end := slices.IndexFunc(all, func(s step) bool {
			return s.app == "openedx_content" && (s.name == o.To || s.name[:4] == o.To)
		})
		if end < 0 {
			return nil, fault.Errorf(fault.Usage, "--to "+o.To, "names no row of openedx_content").WithNext("name one such as 0003")
		}
		all = all[:end+1]
	}
	all = append([]step{fromNothing()}, all...)
	if o.Catalog {
		all = append(all, catalogSteps()...)
	}
	if o.PlatformRows {
		if !slices.ContainsFunc(all[1:], func(s step) bool { return s.app == renamed.App && s.name == renamed.Name }) {
			return nil, fault.Errorf(fault.Usage, "--platform-rows", "says that the platform's apps follow %s, which --to %s leaves out", renamed.Name, o.To).
				WithNext("leave out one of the two")
		}
		all = append(all, platformSteps()...)
	}
	return all, nil
}

// refusal tells why a database in a state cannot be taken over; nil where it can.
func refusal(st *schema.State, o Options) error {
	switch st.Status {
	case schema.Older, schema.Current:
		return nil
	case schema.Foreign:
		if st.Content == "Z" {
			return nil // what is there instead decides
		}
	case schema.Empty, schema.Partial:
		return fault.Errorf(fault.Refused, "database", "%s (state %s)", st.Reason, st.Content).WithNext("run lectern db init, which makes today's tables")
	}
	return fault.Errorf(fault.Refused, "database", "%s (state %s)", st.Reason, st.Content).WithNext(st.Next)
}

// fill makes the checks and plans the steps.
func (p *Plan) fill(ctx context.Context, q db.Querier, d schema.Dialect, s *site, all []step, o Options) error {
	c := &checker{s: s, d: d, q: q, quick: o.quick, pending: map[string]bool{}}
	for i := range all {
		if all[i].app == "openedx_content" && !s.rows[schema.Migration{App: all[i].app, Name: all[i].name}] {
			c.pending[all[i].name[:4]] = true
		}
	}
	offenders, err := c.offenders(ctx)
	if err != nil {
		return fmt.Errorf("look for rows that today's constraints refuse: %w", err)
	}
	if err := c.propose(ctx, offenders); err != nil {
		return err
	}
	for i := range offenders {
		if o := &offenders[i]; o.correctable() {
			p.Codes = append(p.Codes, Code{Kind: o.kind, Package: o.pkg, Entity: o.entity, Old: o.old, New: o.proposed})
		}
	}
	chosen, left, err := c.choose(ctx, offenders, o.Codes, o.CodesFile, o.DeriveCodes)
	if err != nil {
		return err
	}
	wrong := len(p.Findings)
	for i := range left {
		f := left[i].finding(d, c.table(left[i].table))
		p.Findings = append(p.Findings, f)
		if f.Severity == schema.Error {
			wrong++
		}
	}
	for _, look := range []func(context.Context) ([]schema.Finding, error){c.preflight, c.rights, c.orphans, s.uncataloged} {
		found, err := look(ctx)
		if err != nil {
			return err
		}
		for _, f := range found {
			p.Findings = append(p.Findings, f)
			if f.Severity == schema.Error {
				wrong++
			}
		}
	}
	p.codes = chosen
	steps := s.steps(d, chosen, all)
	if wrong > 0 && len(steps) > 0 {
		p.Refusal = fault.Errorf(fault.Refused, "database", "%s in the way (state %s)", count(wrong, "finding stands", "findings stand"), p.State.Content).
			WithNext("take the step that each finding names; lectern db plan lists them")
		return nil
	}
	p.Steps = steps
	return nil
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
