package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/openlectern/lectern/content/events"
)

// receive: receive FOLDER [SECRET] starts a webhook's other end, whose address is in $hook. The n-th event that it takes
// is the file n.json of the folder. It answers with the status in the file status of the folder, 200 without one, and
// with 401 what is not signed with the secret.
func receive(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	var mu sync.Mutex
	n := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the client has gone
		}
		if len(args) > 1 && r.Header.Get(events.HeaderSignature) != events.Sign(args[1], r.Header.Get(events.HeaderTimestamp), body) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if b, err := os.ReadFile(dir + "/status"); err == nil {
			if status, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
				w.WriteHeader(status)
				return
			}
		}
		n++
		if err := os.WriteFile(dir+"/"+strconv.Itoa(n)+".json", body, 0o600); err != nil {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	ts.Defer(s.Close)
	ts.Setenv("hook", s.URL)
}
