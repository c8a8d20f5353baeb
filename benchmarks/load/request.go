package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"reflect"
	"strings"
)

// request is what to send, and who sends it.
type request struct {
	as, method, path string
	body             []byte
}

// Who sends requests: an administrator, who sees everybody's assignments, and somebody who has two of them.
const (
	admin  = "root"
	common = "person0000000"
)

func scopeOf(i int) string { return fmt.Sprintf("course-v1:Org%d+C%d+R", i%orgs, i%courses) }

func (o options) validate(r *rand.Rand) request {
	var b bytes.Buffer
	for i := range 3 {
		at := r.IntN(1000)
		if at%4 == 0 {
			at = 0 // where the sender has a role
		}
		fmt.Fprintf(&b, `%c{"action": "courses.view_course", "scope": %q}`, "[,"[min(i, 1)], scopeOf(at))
	}
	b.WriteByte(']')
	return request{common, http.MethodPost, "permissions/validate/me", b.Bytes()}
}

func (o options) page(r *rand.Rand) request {
	return request{admin, http.MethodGet, fmt.Sprintf("assignments/?page_size=10&page=%d", 1+r.IntN(2*o.people/10)), nil}
}

func (o options) mixed(r *rand.Rand) request {
	switch n := r.IntN(100); {
	case n < 88:
		return o.validate(r)
	case n < 98:
		return o.page(r)
	case n < 99:
		return o.give(r)
	}
	return o.take(r)
}

func (o options) give(r *rand.Rand) request {
	return request{admin, http.MethodPut, "roles/users/",
		fmt.Appendf(nil, `{"role": "library_user", "users": [%q], "scope": "lib:Org%d:*"}`, personOf(r.IntN(o.people)), r.IntN(orgs))}
}

func (o options) take(r *rand.Rand) request {
	return request{admin, http.MethodDelete,
		fmt.Sprintf("roles/users/?role=library_user&users=%s&scope=lib:Org%d:*", personOf(r.IntN(o.people)), r.IntN(orgs)), nil}
}

// send sends a request and returns the answer.
func (s *side) send(ctx context.Context, client *http.Client, q request) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, s.url+"/api/authz/v1/"+q.path, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	s.sign(r, q.as)
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it is read only
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %.2000s", q.method, q.path, answer.StatusCode, text)
	}
	return text, err
}

// same holds the answers of both sides to some requests of each kind against each other, and fails where they differ.
func same(ctx context.Context, o options, a, b *side) error {
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	r := rand.New(rand.NewPCG(1, 1))
	var list []request
	for range 5 {
		list = append(list, o.validate(r))
	}
	given := o.give(r)
	list = append(list, o.page(r), given, given, o.take(r), o.page(r))
	for _, q := range list {
		x, err := a.send(ctx, client, q)
		if err != nil {
			return fmt.Errorf("%s: %w", a.name, err)
		}
		y, err := b.send(ctx, client, q)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		if err := sameJSON(a.own(x), b.own(y)); err != nil {
			return fmt.Errorf("%s %s: %w", q.method, q.path, err)
		}
	}
	return nil
}

// own takes the address of a server out of its answer.
func (s *side) own(text []byte) string {
	return strings.ReplaceAll(string(text), s.url, "http://server")
}

// sameJSON is an error when two texts are not the same in JSON.
func sameJSON(a, b string) error {
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		return err
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Errorf("different answers: %.1000s and %.1000s", a, b)
	}
	return nil
}
