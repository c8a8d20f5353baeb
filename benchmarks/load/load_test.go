package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answering is a side of which every answer has its own address in it, and something else.
func answering(t *testing.T, name, more string) *side {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"next": %q, "as": %q, "more": %s}`, s.URL+r.URL.Path, r.Header.Get("As"), more)
	}))
	t.Cleanup(s.Close)
	return &side{name: name, url: s.URL, sign: func(r *http.Request, as string) { r.Header.Set("As", as) }}
}

// TestSame checks that answers are compared as JSON, without the addresses of the servers, and that a difference ends a run.
func TestSame(t *testing.T) {
	t.Parallel()
	o := options{people: 100}
	a := answering(t, "a", `{"x": 1, "y": [true]}`)
	if err := same(t.Context(), o, a, answering(t, "b", `{"y":[true],"x":1}`)); err != nil {
		t.Errorf("equal answers: %v", err)
	}
	for _, more := range []string{`{"x": 1, "y": [false]}`, `{"x": "1", "y": [true]}`, `{"x": 1}`, `{`} {
		if err := same(t.Context(), o, a, answering(t, "b", more)); err == nil {
			t.Errorf("no difference seen to %s", more)
		}
	}
}

// TestRequests checks that what is sent is JSON where it has a body, and of everybody who is signed in.
func TestRequests(t *testing.T) {
	t.Parallel()
	o := options{people: 100}
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for range 2000 {
		q := o.mixed(r)
		seen[q.method+" "+q.as]++
		if q.body != nil && !json.Valid(q.body) {
			t.Errorf("%s %s: the body is no JSON: %s", q.method, q.path, q.body)
		}
	}
	for _, kind := range []string{"POST " + common, "GET " + admin, "PUT " + admin, "DELETE " + admin} {
		if seen[kind] == 0 {
			t.Errorf("of 2000 mixed requests none is %s", kind)
		}
	}
}

// TestDrive checks that a rate is kept to, that time counts from when a request was due, and that each connection sends
// at least one.
func TestDrive(t *testing.T) {
	t.Parallel()
	const delay = 20 * time.Millisecond
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(delay) }))
	t.Cleanup(s.Close)
	to := &side{url: s.URL, sign: func(*http.Request, string) {}}
	o := options{people: 100, workers: 2}
	get := func(p pace) []time.Duration {
		times, err := send(context.Background(), o, to, s.Client(), o.page, p)
		if err != nil {
			t.Fatal(err)
		}
		return times
	}
	if times := get(pace{seconds: 0.001}); len(times) != o.workers {
		t.Errorf("%d answers, want one of each connection", len(times))
	}
	if times := get(pace{seconds: 0.5, rate: 20}); len(times) != 10 {
		t.Errorf("%d answers at 20 a second in half a second", len(times))
	}
	// 1000 a second are due and 100 at most are answered: the last one is late by nine tenths of the time.
	if times := get(pace{seconds: 0.1, rate: 1000}); len(times) != 100 || times[99] < 500*time.Millisecond {
		t.Errorf("%d answers, the last after %v", len(times), times[len(times)-1])
	}
}

// TestTable checks the aims and where the table goes.
func TestTable(t *testing.T) {
	t.Parallel()
	at := func(n int, each time.Duration) measure {
		m := measure{took: time.Second, cpu: time.Duration(n) * each}
		for range n {
			m.times = append(m.times, each)
		}
		return m
	}
	text := options{people: 50, workers: 1}.table([]result{
		{database: "SQLite", name: "quick", ours: at(4000, time.Millisecond), peer: at(10, 20*time.Millisecond), paced: at(300, time.Millisecond)},
		{database: "SQLite", name: "late", ours: at(400, 11*time.Millisecond), peer: at(10, 22*time.Millisecond), paced: at(300, time.Millisecond)},
		{database: "SQLite", name: "less", ours: at(200, time.Millisecond), peer: at(10, 20*time.Millisecond), paced: at(200, time.Millisecond)},
	})
	for _, want := range []string{
		"quick: **400** times the requests a second, **20.0** times less CPU, p99 1.00 ms; aim 30 times and 10 ms: met",
		"late: **40.0** times the requests a second, **2.00** times less CPU, p99 11.0 ms; aim 30 times and 10 ms: missed",
		"less: **20.0** times the requests a second, **20.0** times less CPU, p99 1.00 ms; aim 30 times and 10 ms: missed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q:\n%s", want, text)
		}
	}
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("a\n"+beginMark+"old\n"+endMark+"\nb\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := writeInto(path, "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if want := "a\n" + beginMark + "new\n" + endMark + "\nb\n"; err != nil || string(got) != want {
		t.Errorf("written: %q, %v, want %q", got, err, want)
	}
	if err := writeInto(path+".none", ""); err == nil {
		t.Error("a file that is not there was written")
	}
}
