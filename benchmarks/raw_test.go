package main

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/dbtest"
)

// TestRawIsTheSame holds that what is inserted raw leaves the same database as the work it is compared with: rows that
// are new, changed and gone.
func TestRawIsTheSame(t *testing.T) {
	t.Parallel()
	b := &bench{ctx: t.Context(), n: 60, cache: t.TempDir(), dir: t.TempDir()}
	before, err := b.course()
	if err != nil {
		t.Fatal(err)
	}
	after, err := b.fresh(before)
	if err != nil {
		t.Fatal(err)
	}
	err = b.editing(after, func(d *db.DB, p publishing.Package, ids []publishing.EntityID) error {
		if err := change(b.ctx, d, p, func(cs *publishing.ChangeSet) error { return edit(b.ctx, cs, p, ids, blocks(len(ids), 2)) }); err != nil {
			return err
		}
		_, err := d.Exec(b.ctx, "DELETE FROM openedx_content_componentversionmedia WHERE id = 1")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	batches, err := differences(b.ctx, before, after)
	if err != nil {
		t.Fatal(err)
	}
	if len(batches) < 6 {
		t.Fatalf("%d batches: the work left too little behind to compare", len(batches))
	}
	copied, err := b.fresh(before)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(b.ctx, copied, batches); err != nil {
		t.Fatal(err)
	}
	for _, way := range [][2]string{{after, copied}, {copied, after}} {
		left, err := differences(b.ctx, way[0], way[1])
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range left {
			t.Errorf("%d rows differ: %s", len(x.rows), x.sql)
		}
	}
}

// TestServers does the work of the servers' jobs, which fails unless what is inserted raw is the same, and holds the most
// statements that it may take.
func TestServers(t *testing.T) {
	t.Parallel()
	for _, e := range dbtest.Engines() {
		if e == db.SQLite {
			continue
		}
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			j, err := jobNamed(string(e))
			if err != nil {
				t.Fatal(err)
			}
			b := &bench{ctx: t.Context(), n: 60, cache: t.TempDir(), dir: t.TempDir()}
			if err := j.run(b); err != nil {
				t.Fatal(err)
			}
			if len(b.lines) != 3 {
				t.Fatalf("%d pieces of work, want 3", len(b.lines))
			}
			for _, l := range b.lines {
				if l.Rows == 0 || l.Statements > 40 || l.Raw.Wall == 0 || l.Bulk.Wall == 0 {
					t.Errorf("%+v", l)
				}
			}
		})
	}
}

// TestMadeUpContent holds the digest of content that other languages make as well.
func TestMadeUpContent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		i, version int
		want       string
	}{
		{0, 1, "ace09e8b99ead094504da4f444ca7691ebb77db7b9d4a7301d94654bc7008852"},
		{9999, 2, "412eba182f0ea164382b2d40e212e6b88b556f713eca61157a579da5860cd379"},
	} {
		s := blockXML(c.i, c.version)
		sum := sha256.Sum256([]byte(s))
		if got := hex.EncodeToString(sum[:]); len(s) != 1024 || got != c.want {
			t.Errorf("blockXML(%d, %d) has %d bytes and the digest %s, want 1024 and %s", c.i, c.version, len(s), got, c.want)
		}
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	const text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
	got, err := between(text, "x", "new\n")
	if want := "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"; err != nil || got != want {
		t.Errorf("between(%q) = %q, %v, want %q", text, got, err, want)
	}
	if _, err := between(text, "y", "new\n"); err == nil {
		t.Error("no error where there are no markers")
	}
}
