package oldcourse

import (
	"context"
	"html"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// StageTable is the table of the stage, for who asks whether a database has it.
const StageTable = "lectern_legacy_stage"

// Stage is how far the retirement of the old store is.
type Stage string

// The stages (modulestore.md §6). A site is at none until it says otherwise: most have no old store, and what they would be
// warned of, or refused, is not there.
const (
	None    Stage = "none"    // nothing is said of old courses
	Warn    Stage = "warn"    // they work as before, and people are told to convert them
	Removed Stage = "removed" // they are refused; what is known of them is still told
)

// ParseStage reads the name of a stage; another text is a fault.Usage about thing.
func ParseStage(thing, text string) (Stage, error) {
	switch s := Stage(text); s {
	case None, Warn, Removed:
		return s, nil
	}
	return "", fault.Errorf(fault.Usage, thing, "%q is no stage", text).WithNext("use warn, removed or none")
}

// Setting is a stage with what goes along with it.
type Setting struct {
	Stage   Stage
	Warning bool   // people are warned while the stage is warn (DEP-11)
	Message string // the site's own words for the warning, "" for the usual ones
	EndsOn  string // the day after which old courses go, as 2006-01-02, or ""
	Hidden  bool   // catalogs and searches are to leave old courses out (DEP-15)
	Closed  bool   // nobody is to enrol in them any more (DEP-15)
	At      time.Time
	By      string // username; "" for the operator of the system
}

// Default is the setting of a site that has made none.
func Default() Setting { return Setting{Stage: None, Warning: true} }

// usual is the warning where the site has no words of its own (DEP-10).
const usual = "This course is in a format that will not be supported any longer. Create a re-run of it in the format of today."

// Text is the warning to be shown with an old course, "" for none: it is not the time for it, or switched off. It is plain
// text, not HTML.
func (s Setting) Text() string {
	if s.Stage != Warn || !s.Warning {
		return ""
	}
	text := s.Message
	if text == "" {
		text = usual
	}
	if s.EndsOn != "" && s.Message == "" {
		text += " It can be used until " + s.EndsOn + "."
	}
	return text
}

// HTML is Text with everything escaped that HTML gives a meaning.
func (s Setting) HTML() string { return html.EscapeString(s.Text()) }

const settingColumns = `SELECT stage, warning, message, ends_on, hidden, closed, created, created_by FROM lectern_legacy_stage ORDER BY created DESC, id DESC`

func scanSetting(r *db.Row) (s Setting, err error) {
	err = r.Scan((*string)(&s.Stage), &s.Warning, &s.Message, &s.EndsOn, &s.Hidden, &s.Closed, &s.At, &s.By)
	return s, err
}

// Current returns the setting of the site.
func Current(ctx context.Context, q db.Querier) (Setting, error) {
	s, found, err := db.One(ctx, q, settingColumns+` LIMIT 1`, nil, scanSetting)
	if err == nil && !found {
		s = Default()
	}
	return s, err
}

// History returns the settings that there were, the newest first, at most limit of them.
func History(ctx context.Context, q db.Querier, limit int) ([]Setting, error) {
	return db.All(ctx, q, settingColumns+` LIMIT ?`, []any{limit}, scanSetting)
}

// maxMessage is how many characters the site's own words may have.
const maxMessage = 2000

// Set makes s the setting of the site, and returns it with its time. Who sets the same again has nothing written.
func Set(ctx context.Context, tx *db.Tx, s Setting) (Setting, error) {
	if _, err := ParseStage("stage", string(s.Stage)); err != nil {
		return s, err
	}
	if len([]rune(s.Message)) > maxMessage {
		return s, fault.Errorf(fault.Usage, "--text", "it is longer than %d characters", maxMessage)
	}
	if err := plainText("--text", s.Message); err != nil {
		return s, err
	}
	if s.EndsOn != "" {
		if _, err := time.Parse(time.DateOnly, s.EndsOn); err != nil {
			return s, fault.Errorf(fault.Usage, "--date", "%q is no day", s.EndsOn).WithNext("write it like 2027-06-30")
		}
	}
	now, err := Current(ctx, tx)
	if err != nil {
		return s, err
	}
	s.At, s.By = now.At, cut(s.By, 150)
	if by := now.By; !now.At.IsZero() {
		if now.By = s.By; now == s {
			s.By = by
			return s, nil
		}
	}
	s.At = tx.Now()
	return s, tx.Insert(ctx, StageTable, []string{"stage", "warning", "message", "ends_on", "hidden", "closed", "created", "created_by"}, 1, func(_ int, v []any) {
		v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7] = string(s.Stage), s.Warning, s.Message, s.EndsOn, s.Hidden, s.Closed, s.At, s.By
	})
}
