package prune

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/content/trash"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// Runner runs a function in a transaction, again from its start where another one was in the way, as [db.DB.Update] does.
type Runner func(ctx context.Context, fn func(*db.Tx) error) error

// Approval says who approved a plan and how it is carried out.
type Approval struct {
	By         string        // name of the user, "" for nobody
	Restorable time.Duration // how long [Undo] can put everything back
	Labels     Labels        // as for [Make]
	Batch      int           // versions in one transaction; 0 means 500
	Progress   func(step string, done, total int)
}

func (a *Approval) batch() int {
	if a.Batch > 0 {
		return a.Batch
	}
	return 500
}

func (a *Approval) tell(step string, done, total int) {
	if a.Progress != nil && total > 0 {
		a.Progress(step, done, total)
	}
}

// Result is what was done with one package.
type Result struct {
	Ref      string
	Moments  int
	Versions int
	Media    int
	Rows     map[string]int // deleted, by table
	Left     []Left         // moments of the plan that stay
	// LeftVersions and LeftMedia are versions and media of the plan that stay, because they are needed by now.
	LeftVersions, LeftMedia int
	Restorable              time.Time // until then
}

// Left is a moment that stays although the plan has it, and why.
type Left struct{ Moment, Why string }

// Apply carries out what a plan says of one of its packages, in transactions of a bounded size each of which locks the
// package and asks again what is needed: what editors have labelled, restored or pinned since the plan was made stays and
// is told. After an interruption, whatever it was, the same call goes on; when all is done it does nothing.
//
// A package that is another one than the plan's, and one to which a later plan was applied, are fault.Refused.
func Apply(ctx context.Context, in Runner, p *Plan, k *Package, a Approval) (*Result, error) {
	w := &worker{in: in, plan: p, k: k, a: a, res: Result{Ref: k.Ref, Rows: map[string]int{}}}
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	for _, publish := range []bool{false, true} {
		if err := w.moments(ctx, publish); err != nil {
			return nil, err
		}
	}
	if err := w.versions(ctx); err != nil {
		return nil, err
	}
	if err := w.media(ctx); err != nil {
		return nil, err
	}
	return &w.res, w.in(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE lectern_prune SET finished = ? WHERE id = ? AND finished IS NULL`, tx.Now(), w.id)
		return err
	})
}

// worker applies one package of a plan.
type worker struct {
	in   Runner
	plan *Plan
	k    *Package
	a    Approval
	pkg  publishing.Package
	id   int64 // of the run
	res  Result
}

// begin checks that the plan fits and notes that it is applied.
func (w *worker) begin(ctx context.Context) error {
	return w.in(ctx, func(tx *db.Tx) error {
		var err error
		if w.pkg, err = find(ctx, tx, w.k); err != nil {
			return err
		}
		if err := publishing.Lock(ctx, tx, w.pkg.ID); err != nil {
			return err
		}
		r, found, err := lastRun(ctx, tx, w.pkg, w.k.Digest)
		if err != nil {
			return err
		}
		if found {
			if !r.expires.After(tx.Now()) && !r.finished {
				return fault.Errorf(fault.Refused, w.k.Ref, "the plan was begun on %s and its time has run out", stamp(r.created)).
					WithNext("make a new plan")
			}
			w.id, w.res.Restorable = r.id, r.expires
			return nil
		}
		w.res.Restorable = tx.Now().Add(w.a.Restorable)
		ids, err := tx.InsertIDs(ctx, "lectern_prune", []string{"learning_package_id", "plan", "created", "created_by", "expires", "finished"}, 1,
			func(_ int, v []any) {
				v[0], v[1], v[2], v[3], v[4], v[5] = w.pkg.ID, w.k.Digest, tx.Now(), w.a.By, w.res.Restorable, nil
			})
		if err != nil {
			return fmt.Errorf("note the plan: %w", err)
		}
		w.id = ids[0]
		return nil
	})
}

// unit runs one batch under the lock of the package, and keeps what it took out.
func (w *worker) unit(ctx context.Context, fn func(*db.Tx, *trash.Journal) error) error {
	var rows map[string]int
	err := w.in(ctx, func(tx *db.Tx) error {
		if err := publishing.FreezeEvents(ctx, tx, w.pkg.ID); err != nil { // which takes the lock
			return err
		}
		_, there, err := db.One(ctx, tx, `SELECT id FROM lectern_prune WHERE id = ?`, []any{w.id}, db.Value[int64])
		if err != nil {
			return err
		}
		if !there {
			return fault.Errorf(fault.Conflict, w.k.Ref, "somebody put back what this plan removed while it was being applied").
				WithNext("agree with them, and make a new plan")
		}
		j := &trash.Journal{}
		if err := fn(tx, j); err != nil {
			return err
		}
		rows = j.Rows()
		return keep(ctx, tx, w.id, j)
	})
	if err == nil {
		for t, n := range rows {
			w.res.Rows[t] += n
		}
	}
	return err
}

// window is how many logs are looked at in one transaction at most.
const window = 500

// moments makes the logs that go one with those after them, from the last to the first, so that the records of a run
// gather where they will stay.
func (w *worker) moments(ctx context.Context, publish bool) error {
	step, pending := "moments", w.k.Remove.Drafts
	if publish {
		step, pending = "publishes", w.k.Remove.Publishes
	}
	total := len(pending)
	left := map[int64]string{}
	records := 4 * w.a.batch()
	for len(pending) > 0 {
		w.a.tell(step, total-len(pending), total)
		logs := pending[max(0, len(pending)-window):]
		var rest IDs // what is left to look at
		var done []int64
		var why map[int64]string
		var tried []int64
		err := w.unit(ctx, func(tx *db.Tx, j *trash.Journal) error {
			rest, done, why, tried = nil, nil, map[int64]string{}, nil
			if err := w.labelled(ctx, tx, publish, logs, why); err != nil {
				return err
			}
			group, into, err := w.group(ctx, tx, publish, logs, func(id int64) bool { return left[id] != "" || why[id] != "" })
			if err != nil || len(group) == 0 {
				rest = pending[:len(pending)-len(logs)]
				return err
			}
			tried = group
			if records == 1 {
				tried = group[len(group)-1:]
			}
			f, err := publishing.Fold(ctx, tx, j, w.pkg.ID, publishing.Folding{
				Publish: publish, Logs: tried, Into: into, Records: records, Removed: tx.Now(), By: w.a.By,
			})
			if err != nil {
				return err
			}
			first := group[len(group)-1] + 1
			if len(f.Logs) > 0 {
				first = f.Logs[0]
			}
			if f.Held != 0 {
				why[f.Held] = "what is current was written to it, or the next moment would be empty without it"
				first = min(first, f.Held)
			}
			at, _ := slices.BinarySearch(pending, first)
			rest, done = pending[:at], f.Logs
			return nil
		})
		switch {
		case errors.Is(err, db.ErrForeignKey) && len(tried) > 0 && records > 1:
			records = 1 // one log at a time, to find the one that something names
			continue
		case errors.Is(err, db.ErrForeignKey) && len(tried) == 1:
			left[tried[0]] = "another program's rows name it"
			records = 4 * w.a.batch()
			continue
		case err != nil:
			return err
		}
		for id, reason := range why {
			left[id] = reason
		}
		w.res.Moments += len(done)
		pending = rest
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		w.res.Left = append(w.res.Left, Left{Name(publish, id), left[id]})
	}
	w.a.tell(step, total, total)
	return nil
}

// labelled finds the logs that were labelled since the plan was made.
func (w *worker) labelled(ctx context.Context, tx *db.Tx, publish bool, logs []int64, why map[int64]string) error {
	if w.a.Labels == nil || !w.plan.Policy.Labelled {
		return nil
	}
	labels, err := w.a.Labels(ctx, tx, w.pkg.ID)
	if err != nil || len(labels) == 0 {
		return err
	}
	for _, id := range logs {
		if names := labels[Name(publish, id)]; len(names) > 0 {
			why[id] = "it has the label " + names[0] + " by now"
		}
	}
	return nil
}

// group returns the last of the logs that are still there, may go and follow one another, and the log after them.
func (w *worker) group(ctx context.Context, tx *db.Tx, publish bool, logs []int64, stays func(int64) bool) (group []int64, into int64, err error) {
	there, into, err := publishing.LogIDs(ctx, tx, w.pkg.ID, publish, logs[0], logs[len(logs)-1])
	if err != nil {
		return nil, 0, err
	}
	for _, id := range slices.Backward(there) {
		if _, planned := slices.BinarySearch(logs, id); planned && !stays(id) && into != 0 {
			group = append(group, id)
		} else if len(group) > 0 {
			break
		} else {
			into = id
		}
	}
	slices.Reverse(group)
	return group, into, nil
}

// versions removes the versions of the plan that nothing needs any more. What pins others goes before them, so it goes over
// those that are left until nothing more is free.
func (w *worker) versions(ctx context.Context) error {
	pending := of[publishing.VersionID](w.k.Remove.Versions)
	slices.Reverse(pending) // parents are mostly younger than what they pin
	total := len(pending)
	for round := 0; len(pending) > 0; round++ {
		var left []publishing.VersionID
		for rest := pending; len(rest) > 0; {
			w.a.tell("versions", total-len(rest)-len(left), total)
			list := rest[:min(len(rest), w.a.batch())]
			rest = rest[len(list):]
			needed, err := w.removeVersions(ctx, list)
			if err != nil {
				return err
			}
			left = append(left, needed...)
		}
		if len(left) == len(pending) {
			break
		}
		pending = left
	}
	w.a.tell("versions", total, total)
	if len(pending) == 0 {
		return nil
	}
	return w.in(ctx, func(tx *db.Tx) error {
		there, err := publishing.Versions(ctx, tx, pending)
		w.res.LeftVersions = len(there)
		return err
	})
}

// removeVersions removes those of the versions that nothing needs and returns the others, those that are gone included.
func (w *worker) removeVersions(ctx context.Context, list []publishing.VersionID) (left []publishing.VersionID, err error) {
	var free []publishing.VersionID
	err = w.unit(ctx, func(tx *db.Tx, j *trash.Journal) error {
		var err error
		if free, err = publishing.Needless(ctx, tx, w.pkg.ID, list); err != nil {
			return err
		}
		pinned, err := containers.Pinned(ctx, tx, free)
		if err != nil {
			return err
		}
		free = slices.DeleteFunc(free, func(v publishing.VersionID) bool { return pinned[v] })
		for _, remove := range []func(context.Context, *db.Tx, *trash.Journal, []publishing.VersionID) error{
			containers.RemoveVersions, components.RemoveVersions, publishing.RemoveVersions,
		} {
			if err := remove(ctx, tx, j, free); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, db.ErrForeignKey) { // rows of other programs name one of them
		return split(list, func(half []publishing.VersionID) ([]publishing.VersionID, error) { return w.removeVersions(ctx, half) })
	}
	if err != nil {
		return nil, err
	}
	w.res.Versions += len(free)
	for _, v := range list {
		if _, gone := slices.BinarySearch(free, v); !gone {
			left = append(left, v)
		}
	}
	return left, nil
}

// split tries the halves of a list that failed as a whole, down to single ids, which stay.
func split[T any](list []T, try func([]T) ([]T, error)) (left []T, err error) {
	if len(list) == 1 {
		return list, nil
	}
	for _, half := range [][]T{list[:len(list)/2], list[len(list)/2:]} {
		part, err := try(half)
		if err != nil {
			return nil, err
		}
		left = append(left, part...)
	}
	return left, nil
}

// media removes the media of the plan that no version has any more.
func (w *worker) media(ctx context.Context) error {
	all := of[media.ID](w.k.Remove.Media)
	size := max(1, w.a.batch()*2/5) // they may hold texts
	for rest := all; len(rest) > 0; {
		w.a.tell("media", len(all)-len(rest), len(all))
		list := rest[:min(len(rest), size)]
		rest = rest[len(list):]
		used, err := w.removeMedia(ctx, list)
		if err != nil {
			return err
		}
		w.res.LeftMedia += len(used)
	}
	w.a.tell("media", len(all), len(all))
	return nil
}

// removeMedia removes those of the media that nothing has and returns the others that are there.
func (w *worker) removeMedia(ctx context.Context, list []media.ID) (left []media.ID, err error) {
	var gone []media.ID
	err = w.unit(ctx, func(tx *db.Tx, j *trash.Journal) error {
		left = nil
		var free []media.ID
		a, err := components.UsedMedia(ctx, tx, list)
		if err != nil {
			return err
		}
		b, err := containers.UsedMedia(ctx, tx, list)
		if err != nil {
			return err
		}
		for _, id := range list {
			if a[id] || b[id] {
				left = append(left, id)
			} else {
				free = append(free, id)
			}
		}
		gone, err = media.Remove(ctx, tx, j, w.pkg.ID, free, w.k.Remove.Before, w.res.Restorable)
		return err
	})
	if errors.Is(err, db.ErrForeignKey) {
		return split(list, func(half []media.ID) ([]media.ID, error) { return w.removeMedia(ctx, half) })
	}
	if err != nil {
		return nil, err
	}
	w.res.Media += len(gone)
	return left, nil
}

// DefaultRestorable is how long a plan can be taken back when nobody says.
const DefaultRestorable = 30 * 24 * time.Hour
