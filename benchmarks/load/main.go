// Load sends requests to a `lectern serve` that it starts on a database it makes, from a few connections at once for a
// few seconds, and prints how many were answered in a second and how long they took: what may I (validate/me), a page of
// everybody's assignments, and both mixed with roles given and taken.
//
//	go build -o /tmp/lectern ./cmd/lectern && go run ./benchmarks/load -lectern /tmp/lectern [-db URL] [-people 5000]
//
// Client and server share the machine, so the figures are what both get done together. The database of -db must be empty.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

type options struct {
	lectern, place  string
	people, workers int
	seconds         float64
}

func main() {
	var o options
	flag.StringVar(&o.lectern, "lectern", "", "the program")
	flag.StringVar(&o.place, "db", "", "URL of an empty database; default SQLite in a temporary folder")
	flag.IntVar(&o.people, "people", 5000, "people, with two assignments each")
	flag.IntVar(&o.workers, "workers", 4, "connections at once")
	flag.Float64Var(&o.seconds, "seconds", 5, "how long each kind of request is sent, at most 60")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	if o.lectern == "" || o.seconds <= 0 || o.seconds > 60 || o.workers < 1 || o.workers > 256 {
		return errors.New("name the program with -lectern; -seconds is up to 60, -workers up to 256")
	}
	work, err := os.MkdirTemp("", "lectern-load-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	place := o.place
	if place == "" {
		place = filepath.Join(work, "lectern.db")
	}
	env := append(os.Environ(), "LECTERN_DB="+place, "LECTERN_DATA="+work)
	if err := makeSite(ctx, o, place, env); err != nil {
		return err
	}
	token, err := tokenOf(ctx, o, env, "root")
	if err != nil {
		return err
	}
	s, err := start(ctx, o, env)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	s.token = token
	fmt.Printf("%s, %d people, %d assignments, %d connections, %v s each\n", kindOf(place), o.people, 2*o.people, o.workers, o.seconds)
	fmt.Printf("%-28s %10s %9s %9s %9s %12s\n", "requests", "a second", "p50 ms", "p99 ms", "max ms", "server CPU")
	for _, w := range []struct {
		name string
		next func(*rand.Rand) request
	}{
		{"validate/me, 3 questions", o.validate},
		{"assignments/, page of 10", o.page},
		{"mixed: 88 + 10 + 2 writes", o.mixed},
	} {
		if err := s.drive(ctx, o, w.name, w.next); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func kindOf(place string) string {
	if kind, _, ok := strings.Cut(place, "://"); ok {
		return kind
	}
	return "sqlite"
}

// request is what to send.
type request struct {
	method, path string
	body         []byte
}

func scopeOf(i int) string { return fmt.Sprintf("course-v1:Org%d+C%d+R", i%orgs, i%courses) }

func (o options) validate(r *rand.Rand) request {
	var b bytes.Buffer
	for i := range 3 {
		fmt.Fprintf(&b, `%c{"action": "courses.view_course", "scope": %q}`, "[,"[min(i, 1)], scopeOf(r.IntN(1000)))
	}
	b.WriteByte(']')
	return request{http.MethodPost, "permissions/validate/me", b.Bytes()}
}

func (o options) page(r *rand.Rand) request {
	return request{http.MethodGet, fmt.Sprintf("assignments/?page_size=10&page=%d", 1+r.IntN(2*o.people/10)), nil}
}

func (o options) mixed(r *rand.Rand) request {
	switch n := r.IntN(100); {
	case n < 88:
		return o.validate(r)
	case n < 98:
		return o.page(r)
	case n < 99:
		return request{http.MethodPut, "roles/users/", fmt.Appendf(nil, `{"role": "library_user", "users": [%q], "scope": "lib:Org%d:*"}`, personOf(r.IntN(o.people)), r.IntN(orgs))}
	}
	return request{http.MethodDelete, fmt.Sprintf("roles/users/?role=library_user&users=%s&scope=lib:Org%d:*", personOf(r.IntN(o.people)), r.IntN(orgs)), nil}
}

// server is the program serving.
type server struct {
	cmd   *exec.Cmd
	url   string
	token string
}

func start(ctx context.Context, o options, env []string) (*server, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, o.lectern, "serve", "--quiet", "--listen", address)
	cmd.Env, cmd.Stderr = env, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, url: "http://" + address}
	for range 300 { // until permissions are loaded
		if r, err := http.Get(s.url + "/readyz"); err == nil { //nolint:noctx // it ends by itself
			_ = r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("the server is not ready after 30 s"), s.stop())
}

func (s *server) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// drive sends requests from all connections for as long as asked, after a second that does not count.
func (s *server) drive(ctx context.Context, o options, name string, next func(*rand.Rand) request) error {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.workers}, Timeout: 30 * time.Second}
	defer client.CloseIdleConnections()
	begin := time.Now().Add(time.Second)
	end := begin.Add(time.Duration(o.seconds * float64(time.Second)))
	times := make([][]time.Duration, o.workers)
	errs := make([]error, o.workers)
	var cpu time.Duration
	var wait sync.WaitGroup
	for i := range o.workers {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for started := false; ; {
				at := time.Now()
				if at.After(end) {
					return
				}
				if !started && at.After(begin) {
					started = true
					if i == 0 {
						cpu = cpuOf(s.cmd.Process.Pid)
					}
				}
				if errs[i] = s.send(ctx, client, next(r)); errs[i] != nil {
					return
				}
				if started {
					times[i] = append(times[i], time.Since(at))
				}
			}
		})
	}
	wait.Wait()
	cpu = cpuOf(s.cmd.Process.Pid) - cpu
	if err := errors.Join(errs...); err != nil {
		return err
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	if len(all) == 0 {
		return errors.New("nothing was answered in time")
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	fmt.Printf("%-28s %10.0f %9.2f %9.2f %9.2f %9.2f ms\n", name, float64(len(all))/o.seconds, ms(all[len(all)/2]), ms(all[len(all)*99/100]), ms(all[len(all)-1]),
		ms(cpu)/float64(len(all)))
	return nil
}

func (s *server) send(ctx context.Context, client *http.Client, q request) error {
	r, err := http.NewRequestWithContext(ctx, q.method, s.url+"/api/authz/v1/"+q.path, bytes.NewReader(q.body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, answer.Body.Close()); err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", q.method, q.path, answer.StatusCode, text)
	}
	return err
}

// tokenOf makes a service token.
func tokenOf(ctx context.Context, o options, env []string, name string) (string, error) {
	cmd := exec.CommandContext(ctx, o.lectern, "user", "token", name, "--json")
	cmd.Env, cmd.Stderr = env, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	var doc struct{ Token string }
	return doc.Token, json.Unmarshal(out, &doc)
}
