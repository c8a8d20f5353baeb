package cli_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/klauspost/compress/gzip"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/internal/cli"
	"github.com/openlectern/lectern/internal/dbtest"
	"github.com/openlectern/lectern/internal/goldendb"
	"github.com/openlectern/lectern/sample"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lectern": func() {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM) // as cmd/lectern has it
		status := cli.Main(ctx, cli.Env{
			Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Version: "test",
		})
		stop()
		os.Exit(status)
	}})
}

// TestScripts runs the scripts of testdata/script, each in a folder of its own. They read as documentation of what the
// commands do.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: commands, Setup: setup("")})
}

// TestEngines runs the scripts of testdata/engine on every engine that is configured, on an empty database each, whose
// URL is in LECTERN_DB.
func TestEngines(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/engine/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatal(err, scripts)
	}
	for _, e := range dbtest.Engines() {
		for _, script := range scripts {
			t.Run(string(e), func(t *testing.T) {
				t.Parallel()
				testscript.Run(t, testscript.Params{Files: []string{script}, Cmds: commands, Setup: setup(dbtest.URL(t, e))})
			})
		}
	}
}

func setup(url string) func(*testscript.Env) error {
	return func(env *testscript.Env) error {
		env.Setenv("LECTERN_DB", url)
		env.Setenv("GORACE", os.Getenv("GORACE")) // by which a program under the race detector is told not to sleep before it ends
		env.Setenv("course", sample.CourseKey)
		env.Setenv("library", sample.LibraryKey)
		env.Setenv("many", manyFiles)
		env.Setenv("block", strings.Replace(sample.CourseKey, "course-v1:", "block-v1:", 1))
		return nil
	}
}

// commands are what scripts can do beside running lectern.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"sample":  writeSample,
	"oldsite": writeOldSite,
	"json":    checkJSON,
	"sql":     runSQL,
	"load":    load,
	"pack":    pack,
	"many":    many,
	"cut":     cut,
	"bytes":   writeBytes,
	"zip":     zipFolder,
	"receive": receive,
	"bucket":  bucket,
}

// writeSample: sample course|library FOLDER writes one of the samples.
func writeSample(ts *testscript.TestScript, _ bool, args []string) {
	files := map[string]func() fs.FS{"course": sample.Course, "library": sample.Library}[args[0]]
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), files()))
}

// checkJSON: json stdout|stderr PATH [VALUE] looks at a document. PATH is made of names and indexes, with slashes; a last
// segment count is the number of elements. VALUE is JSON, or else a text; with ! it must be another, or PATH must be absent.
func checkJSON(ts *testscript.TestScript, neg bool, args []string) {
	var v any
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(args[0])))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("%s is no JSON document: %v", args[0], err)
	}
	if dec.More() {
		ts.Fatalf("%s has more than one document", args[0])
	}
	found := true
	for _, name := range strings.Split(args[1], "/") {
		switch in := v.(type) {
		case map[string]any:
			v, found = in[name]
		case []any:
			if i, err := strconv.Atoi(name); name == "count" {
				v = json.Number(strconv.Itoa(len(in)))
			} else if found = err == nil && i < len(in); found {
				v = in[i]
			}
		default:
			found = false
		}
		if !found {
			break
		}
	}
	if len(args) == 2 {
		if found == neg {
			ts.Fatalf("%s: present is %v", args[1], found)
		}
		return
	}
	if !found {
		ts.Fatalf("%s is not there", args[1])
	}
	got, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		ts.Check(err)
		got = string(b)
	}
	if (got == args[2]) == neg {
		ts.Fatalf("%s is %s, want %s", args[1], got, args[2])
	}
}

// runSQL: sql DATABASE STATEMENT changes a database behind lectern's back.
func runSQL(ts *testscript.TestScript, _ bool, args []string) {
	d, err := db.Open(context.Background(), location(ts, args[0]), db.Options{Create: true})
	ts.Check(err)
	_, err = d.Exec(context.Background(), args[1])
	ts.Check(err)
	ts.Check(d.Close())
}

// location returns the URL of a database that a script names: itself, or a file in the script's folder.
func location(ts *testscript.TestScript, name string) string {
	if strings.Contains(name, ":") {
		return name
	}
	return ts.MkAbs(name)
}

// load: load NAME DATABASE makes a SQLite database from a dump in testdata/golden, as the reference left it.
func load(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.Open(filepath.Join(here, "testdata", "golden", "db", "sqlite", args[0]+".sql.gz"))
	ts.Check(err)
	z, err := gzip.NewReader(f)
	ts.Check(err)
	dump, err := io.ReadAll(z)
	ts.Check(errors.Join(err, z.Close(), f.Close()))
	d, err := db.Open(context.Background(), ts.MkAbs(args[1]), db.Options{Create: true})
	ts.Check(err)
	ts.Check(d.Session(context.Background(), func(s *db.Session) error {
		for _, sql := range goldendb.Statements("PRAGMA foreign_keys=OFF;"+string(dump), false) {
			if _, err := s.Exec(context.Background(), sql); err != nil {
				return err
			}
		}
		return nil
	}))
	ts.Check(d.Close())
}

// here is the folder that tests of this package run in.
var here = func() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return dir
}()

// pack: pack ARCHIVE.tar.gz NAME[=CONTENT]... makes an archive with just these members, which may have names that no
// file system would take, written as in Go strings.
func pack(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, arg := range args[1:] {
		name, content, _ := strings.Cut(unquote(ts, arg), "=")
		ts.Check(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatGNU}))
		_, err := w.Write([]byte(content))
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

func unquote(ts *testscript.TestScript, s string) string {
	out, err := strconv.Unquote(`"` + s + `"`)
	ts.Check(err)
	return out
}

// many: many ARCHIVE.tar.gz N makes an archive of N files of one byte. So that a million takes a second only, they share
// one header, in which the name and the checksum are changed.
func many(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var one bytes.Buffer
	w := tar.NewWriter(&one)
	const prefix, digits, sum = "course/static/", 7, 148
	ts.Check(w.WriteHeader(&tar.Header{Name: prefix + strings.Repeat("0", digits), Mode: 0o644, Size: 1, Format: tar.FormatUSTAR}))
	_, err = w.Write([]byte("x"))
	ts.Check(err)
	ts.Check(w.Flush())
	entry := one.Bytes()
	zero, err := strconv.ParseUint(string(entry[sum:sum+6]), 8, 32)
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	z, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	ts.Check(err)
	for i := range n {
		total := int(zero)
		for at, rest := len(prefix)+digits-1, i; at >= len(prefix); at, rest = at-1, rest/10 {
			entry[at] = '0' + byte(rest%10)
			total += rest % 10
		}
		copy(entry[sum:], fmt.Sprintf("%06o", total))
		_, err := z.Write(entry)
		ts.Check(err)
	}
	_, err = z.Write(make([]byte, 1024))
	ts.Check(err)
	ts.Check(z.Close())
	ts.Check(f.Close())
}

// cut: cut FILE PERCENT shortens a file.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	percent, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()*percent/100))
}

// bucket: bucket NAME starts an object store with one bucket, whose URL is in $bucket, and the URL's
// parameters in $parameters.
func bucket(ts *testscript.TestScript, _ bool, args []string) {
	backend := s3mem.New()
	ts.Check(backend.CreateBucket(args[0]))
	server := httptest.NewServer(gofakes3.New(backend, gofakes3.WithLogger(gofakes3.DiscardLog())).Server())
	ts.Defer(server.Close)
	parameters := "insecure=1&endpoint=" + strings.TrimPrefix(server.URL, "http://")
	ts.Setenv("bucket", "s3://"+args[0]+"/site?"+parameters)
	ts.Setenv("parameters", parameters)
	ts.Setenv("AWS_ACCESS_KEY_ID", "test")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "geheim")
	ts.Setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
}

// writeBytes: bytes FILE TEXT writes a file whose content is written as in Go strings.
func writeBytes(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(unquote(ts, args[1])), 0o600))
}

// zipFolder: zip FILE.zip FOLDER packs a folder as a learning package is packed.
func zipFolder(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	ts.Check(w.AddFS(os.DirFS(ts.MkAbs(args[1]))))
	ts.Check(w.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}
