package prune

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/fault"
)

// format is the version of the plan's form.
const format = 1

// Plan says what pruning would remove. As JSON it is meant to be looked at, and to be edited in one way: packages may be
// taken out of it. Each of the others is under a digest of its own, so that anything else that is changed is refused.
type Plan struct {
	Format   int       `json:"format"`
	Made     time.Time `json:"made"`
	Policy   Policy    `json:"policy"`
	Packages []Package `json:"packages"`
	Skipped  []string  `json:"skipped,omitempty"` // refs of packages that were passed over, for who reads the plan
}

// Package is what a plan says of one package.
type Package struct {
	Digest   string    `json:"digest"` // of the plan's head and of this package
	Ref      string    `json:"ref"`
	UUID     uuid.UUID `json:"uuid"`
	Position Position  `json:"position"` // when the plan was made
	Keep     []Kept    `json:"keep"`
	Remove   Removed   `json:"remove"`
}

// Position are the last logs of a package: a database in which they are not is another one.
type Position struct {
	Change  Entry `json:"change"`
	Publish Entry `json:"publish"`
}

// Entry is a log; ID 0 is none.
type Entry struct {
	ID   int64     `json:"id"`
	UUID uuid.UUID `json:"uuid"`
}

// Kept is a moment that stays.
type Kept struct {
	Moment string    `json:"moment"`
	At     time.Time `json:"at"`
	Why    []string  `json:"why"`
}

// Removed is what goes.
type Removed struct {
	Drafts    IDs            `json:"drafts"`    // draft logs
	Publishes IDs            `json:"publishes"` // publish logs
	Versions  IDs            `json:"versions"`
	Media     IDs            `json:"media"`
	Before    time.Time      `json:"before"` // only media that were made before go
	Files     int            `json:"files"`  // of the media, after the sweep
	Bytes     int64          `json:"bytes"`  // of the media: texts and files
	Rows      map[string]int `json:"rows"`   // by kind; of records and side effects at least that many
}

// Moments is how many moments go.
func (r Removed) Moments() int { return len(r.Drafts) + len(r.Publishes) }

// Empty reports whether nothing goes.
func (r Removed) Empty() bool { return r.Moments()+len(r.Versions)+len(r.Media) == 0 }

// Totals are the sums over all packages of a plan.
type Totals struct {
	Keep, Remove, Versions, Media, Files int
	Bytes                                int64
}

// Totals adds up the packages.
func (p *Plan) Totals() (t Totals) {
	for _, k := range p.Packages {
		t.Keep += len(k.Keep)
		t.Remove += k.Remove.Moments()
		t.Versions += len(k.Remove.Versions)
		t.Media += len(k.Remove.Media)
		t.Files += k.Remove.Files
		t.Bytes += k.Remove.Bytes
	}
	return t
}

// digest computes the digest of one package.
func (p *Plan) digest(k Package) (string, error) {
	k.Digest = ""
	text, err := json.Marshal(Plan{Format: p.Format, Made: p.Made, Policy: p.Policy, Packages: []Package{k}})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// Write writes the plan.
func (p *Plan) Write(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(p)
}

// maxPlan is how large a plan may be, in bytes.
const maxPlan = 1 << 30

// Read reads a plan. What is no plan, or was changed in any other way than that packages were taken out, is
// fault.Invalid; name is what the message calls it.
func Read(r io.Reader, name string) (*Plan, error) {
	next := "make the plan again with: lectern store prune plan; packages may be taken out of it, nothing else be changed"
	text, err := io.ReadAll(io.LimitReader(r, maxPlan))
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, name, "cannot read it: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	p := &Plan{}
	if err := dec.Decode(p); err != nil {
		return nil, fault.Errorf(fault.Invalid, name, "it is no plan: %w", err).WithNext(next)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.Errorf(fault.Invalid, name, "something follows the plan").WithNext(next)
	}
	if p.Format != format {
		return nil, fault.Errorf(fault.Invalid, name, "its format is %d, this program reads %d", p.Format, format).WithNext(next)
	}
	seen := map[uuid.UUID]bool{}
	for _, k := range p.Packages {
		d, err := p.digest(k)
		if err != nil {
			return nil, err
		}
		if d != k.Digest || seen[k.UUID] {
			return nil, fault.Errorf(fault.Invalid, name, "what it says of %s was changed by hand", k.Ref).WithNext(next)
		}
		seen[k.UUID] = true
	}
	return p, nil
}

// Name is a moment as people write it.
func Name(publish bool, log int64) string { return publishing.LogName(publish, log) }
