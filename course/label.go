package course

import (
	"context"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Label is a name that a person gave to a moment of a course.
type Label struct {
	Name   string    `json:"name"`
	Moment string    `json:"moment"`
	At     time.Time `json:"at"` // when the label was set
}

// Labels returns the labels of c by name.
func (c *Course) Labels(ctx context.Context, q db.Querier) ([]Label, error) {
	labels := []Label{}
	err := q.Query(ctx, `SELECT name, moment, created FROM lectern_label WHERE learning_package_id = ? ORDER BY name`,
		[]any{c.Package.ID}, func(r *db.Row) error {
			var l Label
			if err := r.Scan(&l.Name, &l.Moment, &l.At); err != nil {
				return err
			}
			labels = append(labels, l)
			return nil
		})
	return labels, err
}

// LabelledMoments returns the labels of a package by the moment that they name.
func LabelledMoments(ctx context.Context, q db.Querier, pkg publishing.PackageID) (map[string][]string, error) {
	out := map[string][]string{}
	err := q.Query(ctx, `SELECT moment, name FROM lectern_label WHERE learning_package_id = ? ORDER BY name`, []any{pkg}, func(r *db.Row) error {
		var moment, name string
		err := r.Scan(&moment, &name)
		out[moment] = append(out[moment], name)
		return err
	})
	return out, err
}

// otherMoments are texts that mean a moment by themselves, so that no label may hide them.
var otherMoments = regexp.MustCompile(`^(draft|published)$|^[cp][0-9]+$|[~@]|^[0-9]{4}-[0-9]{2}-[0-9]{2}`)

const maxLabel = 255

// SetLabel names a moment. A name that is taken is a Conflict, one that reads as a moment is Usage.
func (c *Course) SetLabel(ctx context.Context, tx *db.Tx, name string, m Moment, by publishing.UserID) error {
	switch {
	case name == "" || len([]rune(name)) > maxLabel:
		return fault.Errorf(fault.Usage, name, "a label has 1 to %d characters", maxLabel)
	case strings.ContainsFunc(name, unicode.IsControl):
		return fault.Errorf(fault.Usage, name, "a label holds no control characters").WithNext("choose another name")
	case otherMoments.MatchString(name):
		return fault.Errorf(fault.Usage, name, "a label may not read as a moment").WithNext("choose another name")
	case m.Log == 0:
		return fault.Errorf(fault.Refused, c.Key.String(), "there is no entry to label yet").WithNext("publish first, or label a draft")
	}
	if err := db.CheckIdentifier(name, maxLabel); err != nil {
		return fault.Errorf(fault.Usage, name, "the label cannot be stored: %w", err)
	}
	if err := publishing.Lock(ctx, tx, c.Package.ID); err != nil {
		return err
	}
	labels, err := c.Labels(ctx, tx)
	if err != nil {
		return err
	}
	for _, l := range labels {
		if l.Name == name {
			return fault.Errorf(fault.Conflict, name, "the label is set to %s already", l.Moment).
				WithNext("remove it first with: lectern course label " + c.Key.String() + " --remove " + name)
		}
	}
	var user any
	if by != 0 {
		user = by
	}
	return tx.Insert(ctx, "lectern_label", []string{"learning_package_id", "name", "moment", "created", "created_by_id"}, 1,
		func(_ int, v []any) { v[0], v[1], v[2], v[3], v[4] = c.Package.ID, name, m.Name(), tx.Now(), user })
}

// RemoveLabel removes a label; NotFound when c has none of that name.
func (c *Course) RemoveLabel(ctx context.Context, tx *db.Tx, name string) error {
	n, err := tx.Exec(ctx, `DELETE FROM lectern_label WHERE learning_package_id = ? AND name = ?`, c.Package.ID, name)
	if err == nil && n == 0 {
		err = fault.Errorf(fault.NotFound, name, "no such label of %s", c.Key)
	}
	return err
}

// labelled resolves a label.
func (c *Course) labelled(ctx context.Context, q db.Querier, name string) (Moment, error) {
	labels, err := c.Labels(ctx, q)
	if err != nil {
		return Moment{}, err
	}
	for _, l := range labels {
		if l.Name == name {
			m, _, err := c.logMoment(ctx, q, l.Moment)
			return m, err
		}
	}
	return Moment{}, fault.Errorf(fault.NotFound, name, "neither a moment nor a label of %s", c.Key).
		WithNext("see its labels with: lectern course label " + c.Key.String())
}
