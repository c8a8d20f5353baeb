package prune

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/live"
)

// meddled is a database on which others write before each call.
type meddled struct {
	Database
	hook func()
}

func (m meddled) Delete(ctx context.Context, c string, ids []modulestore.ID) (int, error) {
	m.hook()
	return m.Database.Delete(ctx, c, ids)
}

func (m meddled) Documents(ctx context.Context, c string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error {
	m.hook()
	return m.Database.Documents(ctx, c, ids, each)
}

// TestServer prunes a database on the server in $LECTERN_TEST_MONGO beside authors, by our plan and by the tool's, and puts
// everything back.
func TestServer(t *testing.T) {
	t.Parallel()
	uri := os.Getenv("LECTERN_TEST_MONGO")
	if uri == "" {
		if os.Getenv("LECTERN_REQUIRE_MONGO") != "" {
			t.Fatal("LECTERN_REQUIRE_MONGO asks for a server, and LECTERN_TEST_MONGO does not name one")
		}
		return // the same runs in memory
	}
	for seed := range uint64(4) {
		name := fmt.Sprintf("lectern_prune_%d_%d", os.Getpid(), seed)
		db, err := Connect(t.Context(), uri, name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := errors.Join(db.db.Drop(context.Background()), db.Close()); err != nil {
				t.Error(err)
			}
		})
		s := newSite(t, seed, func(c string, id modulestore.ID, d bson.Doc) {
			if _, err := db.db.Collection(c).ReplaceOne(t.Context(), driver.D{{Key: "_id", Value: driver.ObjectID(id)}}, driver.Raw(d), options.Replace().SetUpsert(true)); err != nil {
				t.Fatal(err)
			}
		}, func(c string, id modulestore.ID) {
			if _, err := db.Delete(t.Context(), c, []modulestore.ID{id}); err != nil {
				t.Fatal(err)
			}
		})
		s.exists = func(id modulestore.ID) bool {
			there := false
			if err := db.Headers(t.Context(), map[modulestore.ID]bool{id: true}, func(Header) error { there = true; return nil }); err != nil {
				t.Fatal(err)
			}
			return there
		}
		s.age(100)
		dir := t.TempDir()
		path, archive := filepath.Join(dir, "plan.json"), filepath.Join(dir, "archive")
		if _, err := s.planned(db, path); err != nil {
			t.Fatal(err)
		}
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		o := ApplyOptions{Archive: archive, Batch: 7, By: "jo", Now: func() time.Time { return s.now }, Sleep: noSleep, Restorable: time.Hour}
		before := headersOf(t, db)
		r, err := Apply(t.Context(), meddled{db, func() {
			if s.r.IntN(8) == 0 {
				s.step()
			}
		}}, p, o)
		if err != nil {
			t.Fatal(err)
		}
		src, err := live.Open(t.Context(), uri, name)
		if err != nil {
			t.Fatal(err)
		}
		s.load(src)
		u, err := Undo(t.Context(), db, archive, "jo", s.now, nil)
		if err != nil || u.Structures != r.Remove || u.Definitions != r.Definitions {
			t.Errorf("put back %+v of %+v: %v", u, r, err)
		}
		if _, err := Apply(t.Context(), db, p, o); !fault.Is(err, fault.Conflict) {
			t.Errorf("applied again after undo: %v", err)
		}
		after := headersOf(t, db)
		for id, h := range before {
			if diff := cmp.Diff(h, after[id]); diff != "" {
				t.Errorf("%s is not as before (-before +after)\n%s", id, diff)
			}
		}
		s.compat(db, filepath.Join(dir, "tool"))
		s.load(src)
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	}
}

func headersOf(t *testing.T, db Reader) map[modulestore.ID]Header {
	t.Helper()
	all := map[modulestore.ID]Header{}
	if err := db.Structures(t.Context(), func(h Header) error { h.Size = 0; all[h.ID] = h; return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

// compat carries out a plan of the tool and takes it back.
func (s *site) compat(db Database, dir string) {
	s.t.Helper()
	for _, late := range s.late {
		late()
	}
	s.late = nil
	g, err := ReadGraph(s.t.Context(), db, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := Compat(g, 1, true, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := ApplyCompat(s.t.Context(), db, c, ApplyOptions{Archive: dir, Sleep: noSleep, Restorable: time.Hour})
	if err != nil || r.Remove != len(c.Delete) || r.Relinked != len(c.UpdateParents) || r.Remove == 0 || r.Relinked == 0 {
		s.t.Fatalf("%+v of %d and %d: %v", r, len(c.Delete), len(c.UpdateParents), err)
	}
	pruned, err := ReadGraph(s.t.Context(), db, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	again, err := Compat(pruned, 1, true, nil)
	if err != nil || len(again.Delete)+len(again.UpdateParents) > 0 {
		s.t.Errorf("a second plan still has %v, %v", again, err)
	}
	if _, err := Undo(s.t.Context(), db, dir, "jo", time.Now(), nil); err != nil {
		s.t.Fatal(err)
	}
	if g2, err := ReadGraph(s.t.Context(), db, nil); err != nil || !cmp.Equal(g.Structures, g2.Structures) {
		s.t.Errorf("undo did not bring back the graph: %v\n%s", err, cmp.Diff(g.Structures, g2.Structures))
	}
}

func TestCompatApplied(t *testing.T) {
	t.Parallel()
	s, m := memorySite(t, 3)
	s.age(90)
	s.compat(m, filepath.Join(t.TempDir(), "archive"))
	s.load(stored(m))
}
