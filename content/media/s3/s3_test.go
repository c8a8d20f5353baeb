package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/media/filetest"
	"github.com/openlectern/lectern/fault"
)

func TestURLs(t *testing.T) {
	t.Setenv("AWS_REGION", "eu-west-9")
	for text, want := range map[string]target{
		"s3://media":      {bucket: "media", endpoint: "s3.amazonaws.com", region: "eu-west-9"},
		"s3://media/":     {bucket: "media", endpoint: "s3.amazonaws.com", region: "eu-west-9"},
		"s3://media/a/b/": {bucket: "media", prefix: "a/b/", endpoint: "s3.amazonaws.com", region: "eu-west-9"},
		"s3://media/a?endpoint=127.0.0.1:9000&insecure=1&region=x&iam=true": {bucket: "media", prefix: "a/", endpoint: "127.0.0.1:9000", region: "x", insecure: true, iam: true},
	} {
		if got, err := parse(text); err != nil || got != want {
			t.Errorf("parse(%q) = %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		"s3:", "s3://", "s3:media", "s3:///media", "s3://Media", "s3://me.dia", "s3://media:9000/x", "s3://key:hidden@media", "s3://media/a//b", "s3://media/../b",
		"s3://media?endpoint=", "s3://media?endpoint=https://host", "s3://media?insecure=hidden", "s3://media?secret=hidden", "s3://media#x", "s3://media/%zz",
		"s3://media?endpoint=user:hidden@host",
	} {
		_, err := Open(text)
		if !fault.Is(err, fault.Usage) {
			t.Errorf("Open(%q): %v, want usage", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hidden") {
			t.Errorf("Open(%q) repeats what may be secret: %v", text, err)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	s, b, _ := start(t)
	pkg, x := uuid.New(), filetest.Blob("hello")
	if err := b.Put(t.Context(), pkg, []media.Blob{x}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.backend.HeadObject(bucket, "some/prefix/content/"+pkg.String()+"/"+x.Digest); err != nil {
		t.Errorf("the object is not where a Python process looks: %v", err)
	}
	if b.Name() != "s3://lectern-media/some/prefix" {
		t.Errorf("Name = %s", b.Name())
	}
}

// TestRequests counts what batches cost: known objects are neither uploaded nor, in large batches, asked for one by one.
func TestRequests(t *testing.T) {
	t.Parallel()
	s, b, _ := start(t)
	pkg := uuid.New()
	var blobs []media.Blob
	for i := range 200 {
		blobs = append(blobs, filetest.Blob(fmt.Sprint(i)))
	}
	for _, c := range []struct {
		n, put, head, get int // get: listings
	}{{200, 200, 0, 1}, {200, 0, 0, 1}, {3, 0, 3, 0}} {
		s.spoils(nil)
		if err := b.Put(t.Context(), pkg, blobs[:c.n]); err != nil {
			t.Fatal(err)
		}
		if put, head, get := s.count("PUT"), s.count("HEAD"), s.count("GET"); put != c.put || head != c.head || get != c.get {
			t.Errorf("%d blobs: %d PUT, %d HEAD, %d GET; want %d, %d, %d", c.n, put, head, get, c.put, c.head, c.get)
		}
	}
}

// TestFirstWriterWins lets another writer put the same content between the look and the put: that is fine. One that left
// something else of that name is corrected.
func TestFirstWriterWins(t *testing.T) {
	t.Parallel()
	for name, other := range map[string]string{"the same": "hello", "a part": "hel"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b, _ := start(t)
			pkg, x := uuid.New(), filetest.Blob("hello")
			var once atomic.Bool
			s.spoils(func(_ http.ResponseWriter, r *http.Request) bool {
				if r.Method == "PUT" && !once.Swap(true) {
					if r.Header.Get("If-None-Match") != "*" {
						t.Errorf("a put without a condition: %v", r.Header)
					}
					s.behind(t, b.key(pkg, x.Digest), other)
				}
				return false
			})
			if err := b.Put(t.Context(), pkg, []media.Blob{x}); err != nil {
				t.Fatal(err)
			}
			filetest.Wants(t, b, pkg, "hello")
			want := map[string]int{"hello": 1, "hel": 2}[other]
			if n := s.count("PUT"); n != want {
				t.Errorf("%d puts, want %d", n, want)
			}
		})
	}
}

// TestPassingFailures spoils the first requests of each kind in ways that pass: nobody notices.
func TestPassingFailures(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("large ", 300_000)
	for name, spoil := range map[string]func(w http.ResponseWriter, r *http.Request){
		"internal error": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"slow down": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, "<Error><Code>SlowDown</Code><Message>later</Message></Error>")
		},
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"cut off in the middle": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 200_000)
			panic(http.ErrAbortHandler)
		},
		"saved and not said": nil, // set below
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b, _ := start(t)
			pkg, x := uuid.New(), filetest.Blob(large)
			if spoil == nil {
				spoil = func(_ http.ResponseWriter, r *http.Request) {
					if r.Method == "PUT" {
						s.behind(t, b.key(pkg, x.Digest), large)
					}
					panic(http.ErrAbortHandler)
				}
			}
			var puts, gets, heads atomic.Int64
			s.spoils(func(w http.ResponseWriter, r *http.Request) bool {
				n := map[string]*atomic.Int64{"PUT": &puts, "GET": &gets, "HEAD": &heads}[r.Method]
				if n.Add(1) > 2 {
					return false
				}
				spoil(w, r)
				return true
			})
			if err := b.Put(t.Context(), pkg, []media.Blob{x}); err != nil {
				t.Fatal(err)
			}
			filetest.Wants(t, b, pkg, large)
		})
	}
}

// TestLastingFailures tells what is wrong, in the words of the one who can do something about it, and leaves nothing.
func TestLastingFailures(t *testing.T) {
	t.Parallel()
	answer := func(status int, code string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>made up</Message></Error>", code)
		}
	}
	for name, c := range map[string]struct {
		spoil func(http.ResponseWriter, *http.Request)
		want  string
	}{
		"denied":    {answer(403, "AccessDenied"), "refuses the request"},
		"key":       {answer(403, "InvalidAccessKeyId"), "refuses the request"},
		"bucket":    {answer(404, "NoSuchBucket"), "no such bucket"},
		"full":      {answer(507, "QuotaExceeded"), "QuotaExceeded"},
		"broken":    {answer(500, "InternalError"), "InternalError"},
		"no answer": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
		"nonsense":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(418); fmt.Fprint(w, "I am a teapot") }, "the store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b, _ := start(t)
			pkg, x := uuid.New(), filetest.Blob("hello")
			if err := b.Put(t.Context(), pkg, []media.Blob{filetest.Blob("there")}); err != nil {
				t.Fatal(err)
			}
			for _, methods := range []string{"PUT", "GET HEAD PUT DELETE"} {
				s.spoils(func(w http.ResponseWriter, r *http.Request) bool {
					if !strings.Contains(methods, r.Method) {
						return false
					}
					c.spoil(w, r)
					return true
				})
				begin := time.Now()
				err := b.Put(t.Context(), pkg, []media.Blob{x})
				var f *fault.Error
				if !errors.As(err, &f) || f.Kind != fault.Unavailable || f.Thing != b.Name() || f.Next == "" {
					t.Errorf("%s fail: %v, want unavailable with the bucket and a next step", methods, err)
				} else if methods == "PUT" && !strings.Contains(f.Text, c.want) {
					t.Errorf("%s fail: %q, want %q", methods, f.Text, c.want)
				}
				if took := time.Since(begin); took > 15*time.Second {
					t.Errorf("%s fail: it took %v", methods, took)
				}
			}
			if _, err := b.Open(t.Context(), pkg, filetest.Blob("there").Digest); !fault.Is(err, fault.Unavailable) {
				t.Errorf("Open: %v, want unavailable: a file is not missing because a store is", err)
			}
			if _, err := b.Old(t.Context(), pkg, 0); !fault.Is(err, fault.Unavailable) {
				t.Errorf("Old: %v", err)
			}
			s.spoils(nil)
			if list, err := b.Old(t.Context(), pkg, 0); len(list) != 1 || err != nil {
				t.Errorf("kept %v, %v, want the one from before", list, err)
			}
		})
	}
}

// TestUnreachable names a port where nobody listens.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := Open("s3://media?insecure=1&endpoint=" + addr)
	if err != nil {
		t.Fatal(err)
	}
	var f *fault.Error
	err = b.Put(t.Context(), uuid.New(), []media.Blob{filetest.Blob("hello")})
	if !errors.As(err, &f) || f.Kind != fault.Unavailable || !strings.Contains(f.Text, "cannot be reached") || !strings.Contains(f.Next, addr) {
		t.Errorf("%v, %+v", err, f)
	}
}

// TestCancelled ends a put that the store does not answer.
func TestCancelled(t *testing.T) {
	t.Parallel()
	s, b, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.spoils(func(_ http.ResponseWriter, r *http.Request) bool {
		cancel()
		<-r.Context().Done()
		return true
	})
	if err := b.Put(ctx, uuid.New(), []media.Blob{filetest.Blob("hello")}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want cancelled", err)
	}
}

// TestDownloadCutOff tells of an object that does not come whole.
func TestDownloadCutOff(t *testing.T) {
	t.Parallel()
	s, b, _ := start(t)
	pkg, x := uuid.New(), filetest.Blob(strings.Repeat("x", 100_000))
	if err := b.Put(t.Context(), pkg, []media.Blob{x}); err != nil {
		t.Fatal(err)
	}
	s.spoils(func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", "100000")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(make([]byte, 50_000))
		panic(http.ErrAbortHandler)
	})
	r, err := b.Open(t.Context(), pkg, x.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !fault.Is(err, fault.Unavailable) {
		t.Errorf("half an object: %v", err)
	}
}

func TestDue(t *testing.T) {
	t.Parallel()
	_, b, now := start(t)
	for i, want := range []bool{true, false, true, false} {
		if i == 2 {
			now.later(25 * time.Hour)
		}
		if due, err := b.Due(t.Context(), media.GuardAge); due != want || err != nil {
			t.Errorf("%d: %v, %v, want %v", i, due, err, want)
		}
	}
	if got, err := b.Packages(t.Context()); len(got) != 0 || err != nil {
		t.Errorf("Packages = %v, %v", got, err)
	}
}
