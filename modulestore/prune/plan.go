package prune

import (
	"bufio"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
)

// format is the version of the plan's form.
const format = 2

// Plan is what a plan says before it lists what goes: small enough for memory, and for people to read.
type Plan struct {
	Format   int       `json:"format"`
	Database string    `json:"database"`
	Made     time.Time `json:"made"`
	Policy   Policy    `json:"policy"`
	Guard    string    `json:"guard"`
	Grace    string    `json:"grace"`
	// Sources are what was asked for heads and references, Differences where they do not agree: such a course is left alone, and
	// what any of them names stays.
	Sources     []Asked      `json:"sources"`
	Differences []Difference `json:"differences"`
	// Registry is the database of the LMS that was asked, which apply asks again.
	Registry string   `json:"registry,omitempty"`
	Courses  []Course `json:"courses"`
	Pins     []string `json:"pins"`
	// Loose are structures that no course leads to.
	Loose       Amount   `json:"loose"`
	Definitions Amount   `json:"definitions"`
	Cuts        int      `json:"cuts"`   // places where histories get a gap, each with a note (PR-8)
	Keep        int      `json:"keep"`   // structures
	Remove      int      `json:"remove"` // structures
	Bytes       int64    `json:"bytes"`  // that go, with those of definitions; 0 where the server does not tell sizes
	Findings    []string `json:"findings"`

	// SignedBy is the Ed25519 key that signed the plan, in hex; empty for none. It is read from the file's end, where the signature was
	// found to be its.
	SignedBy string `json:"signed_by,omitempty"`
	SHA256   string `json:"-"` // of the file, without its end
	path     string
}

// Amount is how much stays and goes.
type Amount struct {
	Keep   int   `json:"keep"`
	Remove int   `json:"remove"`
	Bytes  int64 `json:"bytes"` // that go
}

// Course is what a plan says of one course or library, with the heads that it was made for (PR-4). A structure that several
// lead to is counted once.
type Course struct {
	Key string `json:"key"`
	// Status is "" for a course that is pruned, else why not: refused, damaged, ignored, out of scope, left alone.
	Status    string            `json:"status,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Heads     map[string]string `json:"heads"`
	Updated   time.Time         `json:"last_update,omitzero"`
	Keep      int               `json:"keep"`
	Remove    int               `json:"remove"`
	BytesKept int64             `json:"bytes_kept"`
	Bytes     int64             `json:"bytes"`               // that go
	Why       map[string]int    `json:"why"`                 // structures that stay, by the first reason
	Gaps      int               `json:"gaps,omitempty"`      // that earlier plans left in its history, with a note: it goes on behind them
	Truncated bool              `json:"truncated,omitempty"` // its history comes to a structure that is not there, and no note says why
}

// leave says that a course is not pruned; the first reason counts.
func (c *Course) leave(status, reason string) {
	if c.Status == "" || status == "damaged" {
		c.Status, c.Reason = status, reason
	}
}

func (p *Plan) find(form string, args ...any) {
	p.Findings = append(p.Findings, fmt.Sprintf(form, args...))
}

// item is a document that goes. Course is its number, -1 for none.
type item struct {
	course int
	id     modulestore.ID
}

// writePlan writes the plan's file: an object whose lists of gaps [id, before, removed], structures [course, id, bytes] and
// definitions [id, bytes] come after what it says, one a line, and then the digest of all lines before it.
func writePlan(p *Plan, cuts, structures, definitions *table, key ed25519.PrivateKey, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".plan-*")
	if err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	sum := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<16)
	head, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if _, err := w.Write(head[:len(head)-2]); err != nil { // what follows is of the same object
		return err
	}
	list := func(name string, t *table, line func(r *record) string) error {
		fmt.Fprintf(w, ",\n  %q: [", name)
		comma := ""
		err := t.each(func(r *record) error {
			_, err := fmt.Fprintf(w, "%s\n%s", comma, line(r))
			comma = ","
			return err
		})
		fmt.Fprint(w, "\n  ]")
		return err
	}
	if err := list("gaps", cuts, func(r *record) string {
		return fmt.Sprintf("[%q,%q,%d]", r.id.String(), idText(r.previous), r.size)
	}); err != nil {
		return err
	}
	if err := list("structures", structures, func(r *record) string { return fmt.Sprintf("[%d,%q,%d]", int(r.owner)-1, r.id.String(), r.size) }); err != nil {
		return err
	}
	if err := list("unused", definitions, func(r *record) string { return fmt.Sprintf("[%q,%d]", r.id.String(), r.size) }); err != nil {
		return err
	}
	fmt.Fprint(w, ",\n")
	if err := w.Flush(); err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	p.SHA256, p.path = hex.EncodeToString(sum.Sum(nil)), path
	signer, signature := sign(key, p.SHA256)
	p.SignedBy = signer
	if _, err := f.WriteString(ending(p.SHA256, signer, signature)); err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	if err := errors.Join(f.Chmod(0o644), f.Sync(), f.Close(), os.Rename(f.Name(), path)); err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	return nil
}

// Open reads what a plan says and checks the digest and the signature of its file. What is no plan or was changed is fault.Invalid.
func Open(path string) (*Plan, error) {
	p := &Plan{path: path}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, path, "there is no such file").WithNext("make a plan with: lectern split prune plan")
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	info, err := f.Stat()
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	last := make([]byte, min(int64(signedEnding), info.Size()))
	if _, err := f.ReadAt(last, info.Size()-int64(len(last))); err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	end, signature := plainEnding, ""
	if strings.HasPrefix(string(last), `  "sha256": `) && len(last) == signedEnding {
		end = signedEnding
		var said struct {
			Signer    string `json:"signed_by"`
			Signature string `json:"signature"`
		}
		if err := json.Unmarshal(append([]byte("{"), last...), &said); err != nil {
			return nil, p.invalid("it is no plan, or was changed by hand: %w", err)
		}
		p.SignedBy, signature = said.Signer, said.Signature
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.LimitReader(f, max(info.Size()-int64(end), 0))); err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	p.SHA256 = hex.EncodeToString(sum.Sum(nil))
	if !strings.HasSuffix(string(last), ending(p.SHA256, p.SignedBy, signature)) {
		return nil, p.invalid("it is no plan, or was changed by hand")
	}
	if p.SignedBy != "" && !verified(p.SHA256, p.SignedBy, signature) {
		return nil, p.invalid("its signature is not that of %s", p.SignedBy)
	}
	signer := p.SignedBy
	if err := p.scan(nil); err != nil {
		return nil, err
	}
	p.SignedBy = signer // whatever else the file says
	return p, nil
}

func (p *Plan) invalid(form string, args ...any) error {
	return fault.Errorf(fault.Invalid, p.path, form, args...).WithNext("make the plan again with: lectern split prune plan")
}

// read hands over the structures and definitions that go.
func (p *Plan) read(each func(collection string, it item) error) error {
	return p.scan(func(list string, row []any) (err error) {
		it, collection := item{course: -1}, modulestore.CollectionDefinitions
		switch {
		case list == "gaps":
			return nil
		case list == "structures" && len(row) == 3:
			it.course, collection, row = p.number(row[0]), modulestore.CollectionStructures, row[1:]
		}
		text, _ := row[0].(string)
		if it.id, err = parseID(text); err != nil || it.course >= len(p.Courses) {
			return p.invalid("it names %q, which is no id", text)
		}
		return each(collection, it)
	})
}

// readCuts hands over where histories will have gaps.
func (p *Plan) readCuts(each func(c Cut) error) error {
	return p.scan(func(list string, row []any) (err error) {
		if list != "gaps" {
			return io.EOF // they come first
		}
		if len(row) != 3 {
			return p.invalid("a cut has %d values", len(row))
		}
		c := Cut{Removed: p.number(row[2]), Plan: p.SHA256}
		id, _ := row[0].(string)
		before, _ := row[1].(string)
		if c.ID, err = parseID(id); err == nil && before != "" {
			c.Before, err = parseID(before)
		}
		if err != nil {
			return p.invalid("%w", err)
		}
		return each(c)
	})
}

func (p *Plan) number(v any) int {
	n, _ := v.(float64)
	return int(n)
}

// scan reads the file: what it says into p when each is nil, else the rows of the lists. io.EOF from each ends it.
func (p *Plan) scan(each func(list string, row []any) error) error {
	f, err := os.Open(p.path)
	if err != nil {
		return fault.Errorf(fault.Unavailable, p.path, "%w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	dec := json.NewDecoder(bufio.NewReaderSize(f, 1<<18))
	if _, err := dec.Token(); err != nil {
		return p.invalid("%w", err)
	}
	said := map[string]json.RawMessage{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return p.invalid("%w", err)
		}
		switch {
		case name != "gaps" && name != "structures" && name != "unused":
			var v json.RawMessage
			if err := dec.Decode(&v); err != nil {
				return p.invalid("%w", err)
			}
			said[fmt.Sprint(name)] = v
			continue
		case each == nil:
			all, err := json.Marshal(said)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(all, p); err != nil {
				return p.invalid("%w", err)
			}
			if p.Format != format {
				return p.invalid("its format is %d, this program reads %d", p.Format, format)
			}
			return nil
		}
		if _, err := dec.Token(); err != nil {
			return p.invalid("%w", err)
		}
		for dec.More() {
			var row []any
			if err := dec.Decode(&row); err != nil {
				return p.invalid("%w", err)
			}
			if len(row) == 0 {
				return p.invalid("a row of %s is empty", name)
			}
			switch err := each(fmt.Sprint(name), row); {
			case err == io.EOF:
				return nil
			case err != nil:
				return err
			}
		}
		if _, err := dec.Token(); err != nil {
			return p.invalid("%w", err)
		}
	}
	if each == nil {
		return p.invalid("it lists nothing")
	}
	return nil
}
