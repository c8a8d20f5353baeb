package course

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/internal/dbtest"
)

// This test binary is also the other process of the tests in this file: with these set it opens the store and works
// until it is done or killed.
const (
	childJob   = "LECTERN_TEST_CHILD"
	childURL   = "LECTERN_TEST_CHILD_URL"
	childFiles = "LECTERN_TEST_CHILD_FILES"
)

func TestMain(m *testing.M) {
	job := os.Getenv(childJob)
	if job == "" {
		os.Exit(m.Run())
	}
	if err := work(job); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// lone stands in for a test where there is none: the first failure ends the process.
type lone struct{ testing.TB }

func (lone) Helper()           {}
func (lone) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func child(t *testing.T, job, url, files string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childJob+"="+job, childURL+"="+url, childFiles+"="+files)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // open for as long as this process lives
		t.Fatal(err)
	}
	return cmd
}

// work is what another process does. It ends with the process that started it.
func work(job string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	d, err := db.Open(context.Background(), os.Getenv(childURL), db.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	verb, arg, _ := strings.Cut(job, " ")
	switch verb {
	case "import": // import two states by turns for ever
		return alternate(d, media.NewDir(os.Getenv(childFiles)))
	case "edit":
		n, err := strconv.Atoi(arg)
		if err != nil {
			return err
		}
		won, err := editPairs(d, media.NewDir(os.Getenv(childFiles)), uint64(n), n)
		fmt.Println(won)
		return err
	}
	return fmt.Errorf("no job %q", job)
}

// wide is a course large enough that an import takes a while: every block carries the same mark.
func wide(mark string) string {
	var b strings.Builder
	b.WriteString("\n\tcourse/course " + mark + "\n")
	for u := range 6 {
		fmt.Fprintf(&b, "\t\tvertical/u%d %s\n", u, mark)
		for p := range 10 {
			fmt.Fprintf(&b, "\t\t\tproblem/p%d%d %s\n", u, p, mark)
		}
	}
	for f := range 5 {
		fmt.Fprintf(&b, "\tstatic/f%d.txt %s\n", f, mark)
	}
	return b.String()
}

func childSite(d *db.DB, files media.Files) *site {
	return &site{t: lone{}, ctx: context.Background(), db: d, files: files, key: mustKey(lone{}, "course-v1:Org+C1+R1")}
}

func alternate(d *db.DB, files media.Files) error {
	s := childSite(d, files)
	trees := []string{wide("odd"), wide("even")}
	for i := 0; ; i++ {
		im := Import{Key: s.key}
		im.State.Published = s.build(trees[i%2])
		if err := d.Update(context.Background(), func(tx *db.Tx) error {
			_, err := im.Run(context.Background(), tx, files)
			return err
		}); err != nil {
			return err
		}
	}
}

// TestKilledImport kills a process that imports and publishes, at random moments: each time the course is one of the two
// states whole, in draft and published alike, and the next import works.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	const kills = 6
	for _, engine := range dbtest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			url, files := dbtest.ReadyURL(t, engine, tables), t.TempDir()
			d, err := db.Open(t.Context(), url, db.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			s := &site{t: t, ctx: t.Context(), db: d, files: media.NewDir(files), key: mustKey(t, "course-v1:Org+C1+R1")}
			_, err = s.bring(Import{}, wide("odd"))
			s.must(err)
			for range kills {
				cmd := child(t, "import", url, files)
				s.must(cmd.Start())
				time.Sleep(150*time.Millisecond + rand.N(400*time.Millisecond)) // the moment of the kill is the point, not a wait for something
				s.must(cmd.Process.Kill())
				_ = cmd.Wait() // it says "killed"
				draft, published := s.at("draft"), s.at("published")
				for again := s.at("draft"); again != draft; again = s.at("draft") { // a server may still commit what it got
					draft, published = again, s.at("published")
				}
				if draft != wide("odd") && draft != wide("even") {
					t.Fatalf("after a kill the draft is neither state:%s", draft)
				}
				if draft != published {
					t.Fatalf("after a kill draft and published differ:%s%s", draft, published)
				}
			}
			_, err = s.bring(Import{}, wide("last"))
			s.must(err)
			s.wants("published", wide("last"))
		})
	}
}

// editPairs makes n edits of two blocks at a time, both to the same text, each starting from the version it saw. It
// returns how many were accepted; losing to another editor is normal.
func editPairs(d *db.DB, files media.Files, seed uint64, n int) (won int, err error) {
	ctx := context.Background()
	s := childSite(d, files)
	r := rand.New(rand.NewPCG(seed, uint64(os.Getpid())))
	for i := range n {
		pair := r.IntN(3)
		a, b := id(fmt.Sprintf("problem/p%d0", pair)), id(fmt.Sprintf("problem/p%d1", pair))
		text := fmt.Sprintf("%d-%d-%d", os.Getpid(), seed, i)
		base := s.version("problem/" + a.Name)
		err := d.Update(ctx, func(tx *db.Tx) error {
			c, err := Find(ctx, tx, s.key)
			if err != nil {
				return err
			}
			for _, block := range []string{a.Name, b.Name} {
				from := &base
				if block == b.Name {
					from = nil
				}
				src := fmt.Sprintf("<problem display_name=%q><p>%s</p></problem>", block, text)
				if _, err := c.Edit(ctx, tx, files, id("problem/"+block), []byte(src), from, Author{}); err != nil {
					return err
				}
			}
			return nil
		})
		switch {
		case err == nil:
			won++
		case !fault.Is(err, fault.Conflict):
			return won, err
		}
	}
	return won, nil
}

// TestConcurrent runs two editors, one of them another process, a publisher and a reader on one database. The reader
// never sees half an edit or half a publish; in the end every accepted edit is a version of its own.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const edits = 12
	for _, engine := range dbtest.Engines() {
		t.Run(string(engine), func(t *testing.T) {
			url, files := dbtest.ReadyURL(t, engine, tables), t.TempDir()
			open := func() *site {
				d, err := db.Open(t.Context(), url, db.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { d.Close() })
				return &site{t: t, ctx: t.Context(), db: d, files: media.NewDir(files), key: mustKey(t, "course-v1:Org+C1+R1")}
			}
			s := open()
			_, err := s.bring(Import{}, wide("start"))
			s.must(err)

			other := child(t, fmt.Sprintf("edit %d", edits), url, files)
			var otherWon strings.Builder
			other.Stdout = &otherWon
			s.must(other.Start())
			var won int
			var failures [3]error
			var editors, rest sync.WaitGroup
			done := make(chan struct{})
			editor, publisher, reader := open(), open(), open()
			editors.Go(func() { won, failures[0] = editPairs(editor.db, editor.files, 7, edits) })
			rest.Go(func() {
				for range edits {
					if _, failures[1] = publisher.publish(); failures[1] != nil {
						return
					}
				}
			})
			rest.Go(func() {
				for failures[2] == nil {
					select {
					case <-done:
						return
					default:
						failures[2] = paired(reader)
					}
				}
			})
			editors.Wait()
			err = other.Wait()
			close(done)
			rest.Wait()
			for _, e := range append(failures[:], err) {
				s.must(e)
			}
			n, err := strconv.Atoi(strings.TrimSpace(otherWon.String()))
			s.must(err)
			versions := 0
			for pair := range 3 {
				versions += s.version(fmt.Sprintf("problem/p%d0", pair)) - 1
			}
			if versions != won+n {
				t.Errorf("%d edits accepted (%d here, %d there), and %d versions made", won+n, won, n, versions)
			}
			if won+n == 0 {
				t.Error("no edit was accepted at all")
			}
			_, err = s.publish()
			s.must(err)
			s.wants("published", s.at("draft"))
		})
	}
}

// paired reports a pair of blocks that are edited together and do not agree, in either branch.
func paired(s *site) error {
	for _, moment := range []string{"draft", "published"} {
		text := map[string]string{}
		for line := range strings.Lines(s.at(moment)) {
			block, content, _ := strings.Cut(strings.TrimSpace(line), " ")
			text[block] = content
		}
		for pair := range 3 {
			a, b := fmt.Sprintf("problem/p%d0", pair), fmt.Sprintf("problem/p%d1", pair)
			if text[a] != text[b] {
				return fmt.Errorf("%s shows half of an edit: %s is %q, %s is %q", moment, a, text[a], b, text[b])
			}
		}
	}
	return nil
}
