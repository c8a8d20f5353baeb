package s3

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/openlectern/lectern/content/media/filetest"
)

const bucket = "lectern-media"

func TestMain(m *testing.M) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret"} {
		if err := os.Setenv(name, value); err != nil {
			log.Fatal(err)
		}
	}
	os.Exit(m.Run())
}

// server is a pretended object store whose answers a test can spoil.
type server struct {
	backend gofakes3.Backend
	url     string // of the bucket

	mu       sync.Mutex // guards the rest
	spoil    func(w http.ResponseWriter, r *http.Request) (done bool)
	requests []string // method and path
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request, real http.Handler) {
	s.mu.Lock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	spoil := s.spoil
	s.mu.Unlock()
	if spoil == nil || !spoil(w, r) {
		real.ServeHTTP(w, r)
	}
}

func (s *server) spoils(fn func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spoil, s.requests = fn, nil
}

// count returns how many requests of a method there were since the last call of spoils.
func (s *server) count(method string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if strings.HasPrefix(r, method+" ") {
			n++
		}
	}
	return n
}

// behind puts an object behind the client's back.
func (s *server) behind(t *testing.T, key, content string) {
	meta := map[string]string{"Last-Modified": time.Now().UTC().Format(http.TimeFormat)}
	if _, err := s.backend.PutObject(bucket, key, meta, strings.NewReader(content), int64(len(content)), nil); err != nil {
		t.Error(err)
	}
}

// clock is the time of the server and of the client.
type clock struct {
	gofakes3.TimeSourceAdvancer
	mu sync.Mutex // guards the one above
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.TimeSourceAdvancer.Now()
}

func (c *clock) later(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Advance(by)
}

func start(t *testing.T) (*server, *Bucket, *clock) {
	t.Helper()
	now := &clock{TimeSourceAdvancer: gofakes3.FixedTimeSource(time.Now())}
	s := &server{backend: s3mem.New(s3mem.WithTimeSource(now))}
	real := gofakes3.New(s.backend, gofakes3.WithTimeSource(now), gofakes3.WithTimeSkewLimit(0), gofakes3.WithLogger(gofakes3.DiscardLog())).Server()
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.ServeHTTP(w, r, real) }))
	t.Cleanup(h.Close)
	if err := s.backend.CreateBucket(bucket); err != nil {
		t.Fatal(err)
	}
	s.url = "s3://" + bucket + "/some/prefix?insecure=1&endpoint=" + strings.TrimPrefix(h.URL, "http://")
	b, err := Open(s.url)
	if err != nil {
		t.Fatal(err)
	}
	b.now = now.Now
	return s, b, now
}

// TestBucketIsFiles runs the suite of stores of files on a bucket.
func TestBucketIsFiles(t *testing.T) {
	t.Parallel()
	filetest.Run(t, func(t *testing.T) filetest.Place {
		s, b, now := start(t)
		return filetest.Place{
			Store: b,
			Age:   now.later,
			Cut: func(pkg uuid.UUID, digest string, n int) {
				key := b.key(pkg, digest)
				obj, err := s.backend.GetObject(bucket, key, nil)
				if err != nil {
					t.Fatal(err)
				}
				part, err := io.ReadAll(io.LimitReader(obj.Contents, int64(n)))
				if err != nil {
					t.Fatal(err)
				}
				s.behind(t, key, string(part))
			},
		}
	})
}
