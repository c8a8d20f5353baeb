package flags

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// testdata/waffle.jsonl holds flags, requests and what django-waffle 5.0.0 answers, made by asking it.
func TestActiveAsWaffle(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/waffle.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(data)) {
		var c struct {
			Flag    Flag
			Request Request
			Active  bool
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.Flag.Active(c.Request); got != c.Active {
			t.Errorf("%s: active = %v", strings.TrimSpace(line), got)
		}
		n++
	}
	if n < 500 {
		t.Errorf("%d cases only", n)
	}
}

func TestDrawIsAPersonsOwn(t *testing.T) {
	t.Parallel()
	f := Flag{Name: "x.y", Percent: 20}
	n := 0
	for id := range int64(10000) {
		r := Request{Person: &Person{ID: id}}
		if f.Active(r) {
			n++
			wider := Flag{Name: "x.y", Percent: 30}
			if !f.Active(r) || !wider.Active(r) {
				t.Fatalf("person %d has the flag, and has it not", id)
			}
		}
	}
	if math.Abs(float64(n)-2000) > 200 {
		t.Errorf("%d of 10000 people have a flag of 20 percent", n)
	}
	if f.Active(Request{}) {
		t.Error("nobody has a share of a flag")
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	f := Flag{Percent: 12.5, Testing: true, Superusers: true, Staff: true, Authenticated: true, Languages: "en,fr", Users: []int64{1, 2}, Groups: []int64{3}}
	if got, want := fmt.Sprint(f.Rules()), "[superusers staff authenticated testing languages en,fr percent 12.5 2 users 1 groups]"; got != want {
		t.Errorf("rules = %s, want %s", got, want)
	}
	off := false
	f.Everyone = &off
	if got := f.Rules(); len(got) > 0 {
		t.Errorf("rules of a flag that is off for everyone: %v", got)
	}
}
