package course

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/keys"
)

// Moment is a resolved point in the life of one course.
type Moment struct {
	// Published tells which branch is meant.
	Published bool
	// Log is the log entry that the branch was left at, 0 when the branch has none yet.
	Log int64
	now bool // the branch as it is, whatever the log
}

// Name returns "c12" for drafts, "p45" for published states, and "" for a branch without an entry.
func (m Moment) Name() string {
	switch {
	case m.Log == 0:
		return ""
	case m.Published:
		return "p" + strconv.FormatInt(m.Log, 10)
	}
	return "c" + strconv.FormatInt(m.Log, 10)
}

func (m Moment) state() publishing.Moment {
	switch {
	case m.now && m.Published:
		return publishing.Published()
	case m.now:
		return publishing.Draft()
	case m.Published:
		return publishing.AfterPublish(m.Log)
	}
	return publishing.AfterChange(m.Log)
}

// Time returns when the entry of a moment was made; of a branch without entries, when the course was.
func (c *Course) Time(ctx context.Context, q db.Querier, m Moment) (time.Time, error) {
	if m.Log == 0 {
		return c.Created, nil
	}
	log, err := publishing.LogByID(ctx, q, m.Published, m.Log)
	return log.At, err
}

// The names of the branches, in moments and in keys (design.md §4).
const (
	draftBranch     = "draft-branch"
	publishedBranch = "published-branch"
)

// MomentOf returns the moment text that a key's branch stands for: "" without one; other branches are NotFound.
func MomentOf(key keys.Course) (string, error) {
	branch, ok := key.Branch()
	switch {
	case !ok:
		return "", nil
	case branch == draftBranch:
		return "draft", nil
	case branch == publishedBranch:
		return "published", nil
	}
	return "", fault.Errorf(fault.NotFound, key.String(), "no branch %q", branch).
		WithNext("use " + draftBranch + " or " + publishedBranch)
}

// Resolve reads a moment as people write it (cli.md, "Moments"): draft, published, cN, pN, a time, published@TIME,
// draft~N, published~N or a label. What is no moment and no label of this course is NotFound.
func (c *Course) Resolve(ctx context.Context, q db.Querier, text string) (Moment, error) {
	branch, back, hasBack := strings.Cut(text, "~")
	switch {
	case text == "draft" || text == "published":
		return c.entry(ctx, q, text, text == "published", 0)
	case hasBack && (branch == "draft" || branch == "published"):
		n, err := strconv.Atoi(back)
		if err != nil || n < 0 {
			return Moment{}, badMoment(text)
		}
		return c.entry(ctx, q, text, branch == "published", n)
	}
	if m, ok, err := c.logMoment(ctx, q, text); ok || err != nil {
		return m, err
	}
	at, published := strings.CutPrefix(text, "published@")
	if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
		return c.timeMoment(ctx, q, published, t)
	} else if published || otherMoments.MatchString(text) {
		return Moment{}, badMoment(text)
	}
	return c.labelled(ctx, q, text)
}

func badMoment(text string) error {
	return fault.Errorf(fault.Usage, text, "not a moment").
		WithNext("write draft, published, cN, pN, an RFC 3339 time, published@TIME, draft~N, published~N or a label")
}

// entry returns the nth log entry of a branch before the present one; text is how the moment was written.
func (c *Course) entry(ctx context.Context, q db.Querier, text string, published bool, n int) (Moment, error) {
	logs, err := publishing.Logs(ctx, q, c.Package.ID, publishing.LogFilter{OnlyDrafts: !published, OnlyPublishes: published, Limit: n + 1})
	if err != nil {
		return Moment{}, err
	}
	m := Moment{Published: published, now: n == 0}
	switch {
	case len(logs) > n:
		m.Log = logs[n].ID
	case n > 0:
		return m, fault.Errorf(fault.NotFound, text, "%s has only %d entries of that kind", c.Key, len(logs)).
			WithNext("see them with: lectern course history " + c.Key.String())
	}
	return m, nil
}

// logMoment reads cN and pN; ok is false for text of another form.
func (c *Course) logMoment(ctx context.Context, q db.Querier, text string) (m Moment, ok bool, err error) {
	if len(text) < 2 || (text[0] != 'c' && text[0] != 'p') {
		return m, false, nil
	}
	id, err := strconv.ParseInt(text[1:], 10, 64)
	if err != nil || id <= 0 || text[1] == '+' {
		return m, false, nil
	}
	m = Moment{Published: text[0] == 'p', Log: id}
	log, err := publishing.LogByID(ctx, q, m.Published, id)
	if fault.Is(err, fault.NotFound) || err == nil && log.Package != c.Package.ID {
		if err := publishing.CheckKept(ctx, q, c.Package.ID, m.Published, id); err != nil {
			return m, true, err // it was one, and was pruned
		}
		err = fault.Errorf(fault.NotFound, text, "not an entry of %s", c.Key).
			WithNext("see its entries with: lectern course history " + c.Key.String())
	}
	return m, true, err
}

func (c *Course) timeMoment(ctx context.Context, q db.Querier, published bool, t time.Time) (Moment, error) {
	log, err := publishing.LogAt(ctx, q, c.Package.ID, published, t)
	if err != nil {
		return Moment{}, err
	}
	if err := publishing.CheckKeptAt(ctx, q, c.Package.ID, published, log, t); err != nil {
		return Moment{}, err
	}
	if log == 0 {
		return Moment{}, fault.Errorf(fault.NotFound, c.Key.String(), "nothing of it existed at %s", t.Format(time.RFC3339)).
			WithNext("see its entries with: lectern course history " + c.Key.String())
	}
	return Moment{Published: published, Log: log}, nil
}
