//go:build unix

package prune

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	driver "go.mongodb.org/mongo-driver/v2/bson"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
	"github.com/openlectern/lectern/modulestore/live"
	"github.com/openlectern/lectern/modulestore/split"
)

// order is what a process is told to do that will be killed: to halt at its nth call of the database, before or after it.
type order struct {
	URI, Database, What, Plan, Archive string
	Halt                               int
	After                              bool
	Now                                time.Time
}

const orderVariable = "LECTERN_TEST_PRUNE_ORDER"

// halting is a database that stands still at one call, so that the process can be killed there.
type halting struct {
	*Server
	order
	calls int
}

func (h *halting) halt(after bool) {
	if !after {
		h.calls++
	}
	if h.calls == h.Halt && after == h.After {
		fmt.Println("halted")
		select {}
	}
}

func (h *halting) Documents(ctx context.Context, c string, ids map[modulestore.ID]bool, each func(bson.Doc) error) error {
	h.halt(false)
	defer h.halt(true)
	return h.Server.Documents(ctx, c, ids, each)
}

func (h *halting) Delete(ctx context.Context, c string, ids []modulestore.ID) (int, error) {
	h.halt(false)
	defer h.halt(true)
	return h.Server.Delete(ctx, c, ids)
}

func (h *halting) Insert(ctx context.Context, c string, docs []bson.Doc) (int, error) {
	h.halt(false)
	defer h.halt(true)
	return h.Server.Insert(ctx, c, docs)
}

// TestOrdered is the process that is killed; without an order it does nothing.
func TestOrdered(t *testing.T) {
	text := os.Getenv(orderVariable)
	if text == "" {
		return
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	db, err := Connect(t.Context(), o.URI, o.Database)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.run(t.Context(), &halting{Server: db, order: o}); err != nil {
		t.Fatal(err)
	}
}

func (o order) run(ctx context.Context, db Database) error {
	if o.What == "undo" {
		_, err := Undo(ctx, db, o.Archive, "jo", o.Now, nil)
		return err
	}
	p, err := Open(o.Plan)
	if err != nil {
		return err
	}
	_, err = Apply(ctx, db, p, ApplyOptions{Archive: o.Archive, Batch: 5, By: "jo", Now: func() time.Time { return o.Now }, Sleep: noSleep, Restorable: time.Hour})
	return err
}

// halted starts a process with an order and returns it standing still, nil if it came to its end.
func halted(t *testing.T, o order) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOrdered$")
	cmd.Env = append(os.Environ(), orderVariable+"="+string(text))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); said += lines.Text() + "\n" {
		if lines.Text() == "halted" {
			return cmd
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%+v: %v\n%s", o, err, said)
	}
	return nil
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	var end *exec.ExitError
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); !errors.As(err, &end) {
		t.Fatal(err)
	}
}

// documents returns the digest of everything in a database but for its claim.
func documents(t *testing.T, db *Server) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, c := range []string{modulestore.CollectionIndexes, modulestore.CollectionStructures, modulestore.CollectionDefinitions, modulestore.CollectionCuts} {
		if err := db.find(t.Context(), c, driver.D{}, func(d bson.Doc) error {
			all[c+" "+modulestore.IDOf(d.Lookup("_id")).String()] = string(d)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestKilledProcess kills applying and undoing with SIGKILL at their calls to a MongoDB server in turn: run again they end where they
// would have ended (PR-11). While a process has the database no other archive gets it, the same one at once when it is dead.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	uri := os.Getenv("LECTERN_TEST_MONGO")
	if uri == "" {
		return // TestServer says whether there has to be one
	}
	name := fmt.Sprintf("lectern_prune_kill_%d", os.Getpid())
	db, err := Connect(t.Context(), uri, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.db.Drop(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	s := newSite(t, 7, func(c string, id modulestore.ID, d bson.Doc) {
		if _, err := db.Delete(t.Context(), c, []modulestore.ID{id}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Insert(t.Context(), c, []bson.Doc{d}); err != nil {
			t.Fatal(err)
		}
	}, func(c string, id modulestore.ID) {
		if _, err := db.Delete(t.Context(), c, []modulestore.ID{id}); err != nil {
			t.Fatal(err)
		}
	})
	s.age(60)
	dir := t.TempDir()
	o := order{URI: uri, Database: name, Plan: filepath.Join(dir, "plan.json"), Archive: filepath.Join(dir, "whole"), Now: s.now}
	if _, err := s.planned(db, o.Plan); err != nil {
		t.Fatal(err)
	}
	before := documents(t, db)
	if err := o.run(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	after := documents(t, db)
	src, err := live.Open(t.Context(), uri, name)
	if err != nil {
		t.Fatal(err)
	}
	h, err := split.ReadHistories(t.Context(), src, nil)
	if err := errors.Join(err, src.Close()); err != nil {
		t.Fatal(err)
	}
	gaps := 0
	for head := range s.heads() {
		list, _ := h.Of(head, 0)
		for _, v := range list {
			gaps += v.Removed
		}
	}
	if gaps == 0 {
		t.Error("a reader finds no gap on the server")
	}
	o.What = "undo"
	if err := o.run(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, documents(t, db)); diff != "" || len(after) >= len(before) {
		t.Fatalf("undone (-before +after)\n%s", diff)
	}
	step := 5
	if os.Getenv("LECTERN_TEST_ALL") != "" {
		step = 1
	}
	kills := map[string]int{}
	for n := 1; ; n += step {
		o.Halt, o.After, o.Archive = n, n%2 == 0, filepath.Join(dir, fmt.Sprint("archive", n))
		was := len(kills)
		total := kills["apply"] + kills["undo"]
		for _, c := range []struct {
			what string
			want map[string]string
		}{{"apply", after}, {"undo", before}} {
			o.What = c.what
			if cmd := halted(t, o); cmd != nil {
				kills[c.what]++
				other := o
				other.Archive += "-other"
				if n == 1+step && c.what == "apply" {
					other.Halt = 0
					is := documents(t, db)
					if err := other.run(t.Context(), db); !fault.Is(err, fault.Conflict) {
						t.Errorf("with another archive meanwhile: %v", err)
					}
					kill(t, cmd)
					if err := other.run(t.Context(), db); !fault.Is(err, fault.Conflict) {
						t.Errorf("with another archive just after the crash: %v", err)
					}
					if diff := cmp.Diff(is, documents(t, db)); diff != "" {
						t.Errorf("the refused runs changed\n%s", diff)
					}
				} else {
					kill(t, cmd)
				}
				if err := o.run(t.Context(), db); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(c.want, documents(t, db)); diff != "" {
				t.Fatalf("%s, killed at call %d (-want +got)\n%s", c.what, n, diff)
			}
		}
		if kills["apply"]+kills["undo"] == total && was > 0 {
			break
		}
	}
	if kills["apply"] < 3 || kills["undo"] < 1 {
		t.Errorf("killed %v: this tests nothing", kills)
	}
}

// TestServerClaims holds that the server's clock ends a claim.
func TestServerClaims(t *testing.T) {
	t.Parallel()
	uri := os.Getenv("LECTERN_TEST_MONGO")
	if uri == "" {
		return // TestServer says whether there has to be one
	}
	db, err := Connect(t.Context(), uri, fmt.Sprintf("lectern_prune_claim_%d", os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(db.db.Drop(context.Background()), db.Close()); err != nil {
			t.Error(err)
		}
	})
	for i, c := range []struct {
		holder  string
		ttl     time.Duration
		release bool
		refused bool
	}{
		{"one", time.Hour, false, false}, {"one", time.Hour, false, false}, {"two", time.Hour, false, true}, {"two", time.Hour, true, true},
		{"one", -time.Second, false, false}, {"two", time.Hour, false, false}, {"one", time.Hour, false, true}, {"two", time.Hour, true, false}, {"one", time.Hour, true, false},
	} {
		if err := db.Claim(t.Context(), c.holder, "jo", c.ttl); fault.Is(err, fault.Conflict) != c.refused || err != nil && !c.refused {
			t.Errorf("%d: %+v: %v", i, c, err)
		}
		if c.release {
			if err := db.Release(t.Context(), c.holder); err != nil {
				t.Error(err)
			}
		}
	}
}
