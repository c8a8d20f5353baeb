package prune

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/bson"
)

// archive is a folder with everything that one plan removed (PR-10): the plan, dump/DATABASE/COLLECTION.bson, as mongorestore loads it,
// and ledger.jsonl, which says of each batch where its documents lie, their digest, and how far it has come (PR-11). Nothing is
// deleted before its line is on the disk.
type archive struct {
	dir    string
	ledger *os.File
	lock   io.Closer
	head   headLine
	// batches are the last lines of each batch, relinks the ones of the reference tool's plan.
	batches                []batchLine
	relinks                []relinkLine
	relinked, noted        bool
	undone, restored, done bool             // taken back, or begun to be; that has ended; apply has ended
	expired                time.Time        // its documents were removed; zero for no
	ends                   map[string]int64 // of the files, as the ledger says
}

// line is a line of the ledger: one of these.
type line struct {
	Head   *headLine   `json:"head,omitempty"`
	Relink *relinkLine `json:"relink,omitempty"`
	Batch  *batchLine  `json:"batch,omitempty"`
	Note   string      `json:"note,omitempty"` // relinks, cuts, done, undone, restored, expired
	At     time.Time   `json:"at,omitzero"`
}

type headLine struct {
	Plan     string    `json:"plan"` // digest
	Database string    `json:"database"`
	By       string    `json:"by"`
	Began    time.Time `json:"began"`
	Until    time.Time `json:"restorable_until"`
	Size     int       `json:"batch"`            // documents
	Holder   string    `json:"holder,omitempty"` // by which the archive claims the database
}

type relinkLine struct{ ID, From, To string }

// The states of a batch, in order. A batch that is checked has been looked at again after its documents were deleted.
const (
	archived = "archived"
	checked  = "checked"
)

type batchLine struct {
	N          int    `json:"n"`
	State      string `json:"state"`
	Collection string `json:"collection"`
	From       int64  `json:"from"`
	Bytes      int64  `json:"bytes"`
	Documents  int    `json:"documents"`
	SHA256     string `json:"sha256,omitempty"`
	Deleted    int    `json:"deleted"`
	Left       int    `json:"left"`     // that were needed by then, or whose course had moved
	PutBack    int    `json:"put_back"` // that became needed while they were deleted
	Courses    []int  `json:"courses,omitempty"`
	Gone       []int  `json:"gone,omitempty"` // documents deleted of each of Courses
	GoneBytes  []int  `json:"gone_bytes,omitempty"`
}

const (
	ledgerName = "ledger.jsonl"
	planName   = "plan.json"
)

// openArchive opens a folder, or makes one for a plan. head is zero where it must be there.
func openArchive(dir string, head headLine) (_ *archive, err error) {
	a := &archive{dir: dir, ends: map[string]int64{}}
	path := filepath.Join(dir, ledgerName)
	if head.Plan != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fault.Errorf(fault.Unavailable, dir, "%w", err)
		}
	} else if _, err := os.Stat(path); err != nil {
		return nil, fault.Errorf(fault.NotFound, dir, "no archive of split prune apply: %w", err).WithNext("name the folder that was given to apply with --archive")
	}
	if a.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if a.ledger, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	if err := a.replay(); err != nil {
		return nil, err
	}
	switch {
	case a.head.Plan == "" && head.Plan == "":
		return nil, fault.Errorf(fault.NotFound, dir, "the archive is empty").WithNext("nothing was removed: there is nothing to put back")
	case a.head.Plan == "":
		a.head = head
		if err := errors.Join(a.write(line{Head: &head}), syncFolder(dir)); err != nil {
			return nil, err
		}
	case head.Plan != "" && (a.head.Plan != head.Plan || a.head.Database != head.Database):
		return nil, fault.Errorf(fault.Conflict, dir, "the archive is of another plan or database").WithNext("give an empty folder with --archive")
	case head.Plan != "" && a.undone:
		return nil, fault.Errorf(fault.Conflict, dir, "this plan was taken back").WithNext("make a new plan and give an empty folder with --archive")
	}
	return a, nil
}

// replay reads the ledger; a last line that broke off was never acted upon.
func (a *archive) replay() error {
	text, err := io.ReadAll(a.ledger)
	if err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	end := bytes.LastIndexByte(text, '\n') + 1
	for n, raw := range bytes.Split(text[:end], []byte("\n")) {
		if len(raw) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(raw, &l); err != nil {
			return fault.Errorf(fault.Invalid, a.dir, "line %d of its ledger: %w", n+1, err).WithNext("restore the folder from a backup; its dump can be loaded with mongorestore")
		}
		switch {
		case l.Head != nil:
			a.head = *l.Head
		case l.Relink != nil:
			a.relinks = append(a.relinks, *l.Relink)
		case l.Batch != nil:
			b := *l.Batch
			if n := len(a.batches); n > 0 && a.batches[n-1].N == b.N {
				a.batches[n-1] = b
			} else {
				a.batches = append(a.batches, b)
			}
			a.ends[b.Collection] = b.From + b.Bytes
		case l.Note == "relinks":
			a.relinked = true
		case l.Note == "cuts":
			a.noted = true
		case l.Note == "done":
			a.done = true
		case l.Note == "undone":
			a.undone = true
		case l.Note == "restored":
			a.restored = true
		case l.Note == "expired":
			a.expired = l.At
		}
	}
	if err := a.ledger.Truncate(int64(end)); err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	_, err = a.ledger.Seek(int64(end), io.SeekStart)
	return err
}

// unfinished says whether a run in it was stopped and has to go on.
func (a *archive) unfinished() bool {
	if a.undone {
		return !a.restored
	}
	return !a.done
}

// write adds lines and waits until they are on the disk.
func (a *archive) write(lines ...line) error {
	var text []byte
	for _, l := range lines {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		text = append(append(text, b...), '\n')
	}
	if _, err := a.ledger.Write(text); err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err).WithNext("make room and run it again: it goes on")
	}
	if err := a.ledger.Sync(); err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	return nil
}

// batch writes the state of a batch.
func (a *archive) batch(b batchLine) error {
	if n := len(a.batches); n > 0 && a.batches[n-1].N == b.N {
		a.batches[n-1] = b
	} else {
		a.batches = append(a.batches, b)
	}
	a.ends[b.Collection] = b.From + b.Bytes
	return a.write(line{Batch: &b})
}

// keepPlan copies a plan into the folder, unless it is there, and returns that: what a run works by cannot be changed under it, nor
// lost before it has gone on. A plan whose file has changed since it was opened is fault.Invalid.
func (a *archive) keepPlan(p *Plan) (_ *Plan, err error) {
	path := filepath.Join(a.dir, planName)
	if kept, err := Open(path); err == nil && kept.SHA256 == p.SHA256 && kept.SignedBy == p.SignedBy {
		return kept, nil
	}
	from, err := os.Open(p.path)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, p.path, "%w", err)
	}
	defer func() { _ = from.Close() }() // opened for reading: nothing is lost when closing fails
	to, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	_, err = io.Copy(to, from)
	if err := errors.Join(err, to.Sync(), to.Close()); err != nil {
		return nil, fault.Errorf(fault.Unavailable, a.dir, "copying the plan: %w", err).WithNext("make room and run it again")
	}
	kept, err := Open(path + ".new")
	if err != nil || kept.SHA256 != p.SHA256 || kept.SignedBy != p.SignedBy {
		return nil, errors.Join(p.invalid("it has changed since it was looked at"), os.Remove(path+".new"))
	}
	kept.path = path
	return kept, errors.Join(os.Rename(path+".new", path), syncFolder(a.dir))
}

func (a *archive) file(collection string) string {
	return filepath.Join(a.dir, "dump", databaseName(a.head.Database), collection+".bson")
}

// databaseName returns the last part of a name like mongodb://host/edxapp.
func databaseName(name string) string { return filepath.Base(filepath.ToSlash(name)) }

// put writes documents behind those of the batches before, over what a run that was killed left there.
func (a *archive) put(b *batchLine, docs []bson.Doc) (err error) {
	path := a.file(b.Collection)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	b.From = a.ends[b.Collection]
	sum := sha256.New()
	w := bufio.NewWriter(io.MultiWriter(io.NewOffsetWriter(f, b.From), sum))
	for _, d := range docs {
		b.Bytes += int64(len(d))
		b.Documents++
		if _, werr := w.Write(d); werr != nil {
			err = errors.Join(err, werr)
			break
		}
	}
	b.SHA256 = ""
	err = errors.Join(err, w.Flush(), f.Truncate(b.From+b.Bytes), f.Sync(), f.Close())
	if b.From == 0 {
		err = errors.Join(err, syncFolder(filepath.Dir(path)), syncFolder(filepath.Join(a.dir, "dump")), syncFolder(a.dir))
	}
	if err != nil {
		return fault.Errorf(fault.Unavailable, path, "%w", err).WithNext("make room and run it again: it goes on")
	}
	b.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// docs reads a batch back and checks its digest.
func (a *archive) docs(b batchLine) (docs []bson.Doc, err error) {
	path := a.file(b.Collection)
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing is lost when closing fails
	text := make([]byte, b.Bytes)
	if _, err := f.ReadAt(text, b.From); err != nil && b.Bytes > 0 {
		return nil, fault.Errorf(fault.Invalid, path, "batch %d: %w", b.N, err)
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != b.SHA256 {
		return nil, fault.Errorf(fault.Invalid, path, "batch %d does not fit its digest", b.N).WithNext("take the archive from a backup")
	}
	r := bson.NewReader(bytes.NewReader(text), path)
	for {
		d, err := r.Next()
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, bytes.Clone(d))
	}
}

func (a *archive) close() error {
	var err error
	if a.ledger != nil {
		err = a.ledger.Close()
	}
	if a.lock != nil {
		err = errors.Join(err, a.lock.Close())
	}
	return err
}

// audit adds a line about who did what (W11).
func (a *archive) audit(who, what string, at time.Time) error {
	f, err := os.OpenFile(filepath.Join(a.dir, "audit.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	_, err = fmt.Fprintf(f, "%s %s %s: %s\n", at.UTC().Format(time.RFC3339), who, a.head.Database, what)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fault.Errorf(fault.Unavailable, a.dir, "%w", err)
	}
	return nil
}

// syncFolder waits until the names in a folder are on the disk.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
