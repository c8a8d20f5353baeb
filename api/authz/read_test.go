package authzapi

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]query{
		"":                  nil,
		"a=1&b=&c":          {{"a", "1"}, {"b", ""}, {"c", ""}},
		"a=x+y%2B%3d":       {{"a", "x y+="}},
		"a=%zz%4&b=%":       {{"a", "%zz%4"}, {"b", "%"}},
		"a=1;b=2&&a=%C3%A9": {{"a", "1;b=2"}, {"a", "é"}},
		"a=%FFz":            {{"a", "\uFFFDz"}},
	} {
		if diff := cmp.Diff(want, parseQuery(raw), cmp.AllowUnexported(pair{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", raw, diff)
		}
	}
	if v, ok := parseQuery("a=1&a=2").get("a"); v != "2" || !ok {
		t.Errorf("of two the last counts, got %q", v)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff([]string{"b", "a", "B"}, splitList(" b, a,,b ,B")); diff != "" {
		t.Error(diff)
	}
	for search, want := range map[string][]string{
		"": nil, " , ": nil, "Open edX": {"open", "edx"}, "a,b": {"a", "b"}, `"Open edX" uni`: {"open edx", "uni"}, `'a b`: {"'a", "b"}, `""`: nil,
	} {
		if diff := cmp.Diff(want, searchTerms(search)); diff != "" {
			t.Errorf("%q: %s", search, diff)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"5": "5", "-0": "0", "123456789012345678901234567890": "123456789012345678901234567890",
		"1.0": "1.0", "1e2": "100.0", "0.5": "0.5", "1e16": "1e+16", "0.00001": "1e-05", "1E400": "inf", "-1e400": "-inf", "-0.0": "-0.0",
	} {
		if got := printNumber(text); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]int{"7": 7, " +7 ": 7, "-1": -1, "1_000": 1000, "99999999999": 1<<31 - 1} {
		if got, ok := parseInt(text); got != want || !ok {
			t.Errorf("%q: %d, %t, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "x", "1.5", "_1", "1_", "1__0", "+-1", "1 2", "0x10"} {
		if got, ok := parseInt(text); ok {
			t.Errorf("%q: %d, want none", text, got)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query             string
		count, from, to   int
		next, prev, wrong bool
	}{
		{"", 0, 0, 0, false, false, false},
		{"", 25, 0, 10, true, false, false},
		{"page=3", 25, 20, 25, false, true, false},
		{"page=last", 25, 20, 25, false, true, false},
		{"page=last", 0, 0, 0, false, false, false},
		{"page=4", 25, 0, 0, false, false, true},
		{"page=0", 25, 0, 0, false, false, true},
		{"page=x", 25, 0, 0, false, false, true},
		{"page=&page_size=", 25, 0, 10, true, false, false},
		{"page_size=1000", 250, 0, 100, true, false, false},
		{"page_size=-1", 25, 0, 10, true, false, false},
	} {
		w, err := windowOf(parseQuery(c.query), c.count)
		if c.wrong {
			if !errors.Is(err, errPage) {
				t.Errorf("%+v: %v, want errPage", c, err)
			}
			continue
		}
		if err != nil || w.from != c.from || w.to != c.to || w.page < w.pages != c.next || w.page > 1 != c.prev {
			t.Errorf("%+v: %+v, %v", c, w, err)
		}
	}
	w := window{}
	if got, want := w.link("http://h/x/", parseQuery("z=&a=b c&page=2&a=lib:O:*"), 3), "http://h/x/?a=b+c&a=lib%3AO%3A%2A&page=3&z="; got != want {
		t.Errorf("link %s, want %s", got, want)
	}
	if got := w.link("http://h/x/", parseQuery("page=2"), 1); got != "http://h/x/" {
		t.Errorf("link of the first page: %s", got)
	}
}

// TestRecent reads what is dear to read at most every so often, and what is cheap each time.
func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cost, loads := time.Millisecond, 0
		r := recent[int]{load: func(context.Context) (int, error) {
			time.Sleep(cost)
			loads++
			return loads, nil
		}}
		get := func(want int) {
			t.Helper()
			if got, err := r.get(t.Context()); got != want || err != nil {
				t.Fatalf("got %d, %v, want %d", got, err, want)
			}
		}
		get(1)
		get(2) // cheap
		cost = 50 * time.Millisecond
		get(3)
		get(3)
		time.Sleep(fresh)
		done := make(chan int)
		go func() {
			v, _ := r.get(t.Context())
			done <- v
		}()
		synctest.Wait()
		get(3) // while the other reads
		if v := <-done; v != 4 {
			t.Errorf("who found it stale has %d, want 4", v)
		}
		get(4)
		if v, err := r.again(t.Context()); v != 5 || err != nil {
			t.Errorf("again: %d, %v", v, err)
		}
		time.Sleep(time.Hour)
		get(6) // far too old for anybody
	})
}
