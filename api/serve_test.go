package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openlectern/lectern/api"
)

// running serves on a port of its own until the test ends, or stop is called; stop returns what Serve returned.
func running(t *testing.T, drain time.Duration, more func(*api.Router)) (address string, stop func() error) {
	t.Helper()
	s := server(t, func(c *api.Config) {
		if more != nil {
			c.Parts = append(c.Parts, more)
		}
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, drain) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if !stopped {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return l.Addr().String(), stop
}

// held is a route that answers when it is let go.
func held(entered, leave chan struct{}) func(*api.Router) {
	return func(rt *api.Router) {
		rt.Handle(api.Route{Method: "GET", Path: "/test/held", Access: api.Open, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			<-leave
			api.WriteJSON(w, r, 200, "done")
		})})
		rt.Handle(api.Route{Method: "POST", Path: "/test/slow", Access: api.Open, Timeout: 100 * time.Millisecond, MaxBody: 10,
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				var v any
				if err := api.ReadJSON(r, &v); err != nil {
					api.WriteError(w, r, err)
					return
				}
				<-r.Context().Done()
				api.WriteError(w, r, r.Context().Err())
			})})
	}
}

func TestStopLetsRequestsFinish(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	address, stop := running(t, time.Minute, held(entered, leave))
	answer := make(chan string, 1)
	go func() {
		r, err := http.Get("http://" + address + "/test/held") //nolint:noctx // it ends with the server
		if err != nil {
			answer <- err.Error()
			return
		}
		defer r.Body.Close() //nolint:errcheck // it is only read
		b, err := io.ReadAll(r.Body)
		answer <- fmt.Sprint(r.StatusCode, string(b), err)
	}()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // until it takes no more
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err != nil {
			break
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	close(leave)
	if got := <-answer; got != `200"done"<nil>` {
		t.Errorf("the request that was on its way got %s", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	address, stop := running(t, 50*time.Millisecond, held(entered, leave))
	failed := make(chan error, 1)
	go func() {
		r, err := http.Get("http://" + address + "/test/held") //nolint:noctx // it ends with the server
		if err == nil {
			err = r.Body.Close()
		}
		failed <- err
	}()
	<-entered
	if err := stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("a request that did not come to its end was not cut off")
	}
	close(leave)
}

// send writes raw bytes to the server and returns the first line of each answer, until the server closes or nothing more comes.
func send(t *testing.T, address, text string) (lines []string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // whatever it says, the test has what it wants
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(c)
	for s.Scan() {
		if strings.HasPrefix(s.Text(), "HTTP/1.") || strings.HasPrefix(s.Text(), "{") {
			lines = append(lines, s.Text())
		}
	}
	return lines
}

func TestClientsThatMisbehave(t *testing.T) {
	t.Parallel()
	address, _ := running(t, time.Minute, held(nil, nil))
	const end = "Host: x\r\nConnection: close\r\n\r\n"
	for name, c := range map[string]struct{ send, want string }{
		"a body that does not come":       {"POST /test/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n[", `HTTP/1.1 408 Request Timeout {"detail":"The request did not arrive in time."}`},
		"a body in endless pieces":        {"POST /test/slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + strings.Repeat(" ", 255) + "\r\n", `HTTP/1.1 413 Request Entity Too Large {"detail":"The request body is larger than 10 bytes."}`},
		"a body that is said to be huge":  {"POST /test/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", `HTTP/1.1 413 Request Entity Too Large {"detail":"The request body is larger than 10 bytes."}`},
		"a handler that takes too long":   {"POST /test/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]", `HTTP/1.1 503 Service Unavailable {"detail":"It took too long."}`},
		"huge headers":                    {"GET /healthz HTTP/1.1\r\nX: " + strings.Repeat("x", 80<<10) + "\r\n" + end, "HTTP/1.1 431 Request Header Fields Too Large"},
		"no host":                         {"GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request: missing required Host header"},
		"two hosts":                       {"GET /healthz HTTP/1.1\r\nHost: a\r\n" + end, "HTTP/1.1 400 Bad Request"},
		"a full address of somebody else": {"GET http://evil.example/healthz HTTP/1.1\r\n" + end, `HTTP/1.1 200 OK {"status":"ok"}`},
		"smuggling":                       {"POST /test/slow HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n" + end + "0\r\n\r\nGET /x HTTP/1.1\r\n\r\n", `HTTP/1.1 400 Bad Request {"detail":"JSON parse error - unexpected end of JSON input"}`},
		"an asterisk":                     {"OPTIONS * HTTP/1.1\r\n" + end, "HTTP/1.1 200 OK"},
		"a tunnel":                        {"CONNECT evil.example:80 HTTP/1.1\r\n" + end, `HTTP/1.1 404 Not Found {"detail":"Not found."}`},
		"old and short":                   {"GET /healthz HTTP/1.0\r\n\r\n", `HTTP/1.0 200 OK {"status":"ok"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := strings.Join(send(t, address, c.send), " "); got != c.want {
				t.Errorf("got %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestDeadlinesAreOfOneRequest shows that a connection that is used again has not the time of its first request only.
func TestDeadlinesAreOfOneRequest(t *testing.T) {
	t.Parallel()
	address, _ := running(t, time.Minute, func(rt *api.Router) {
		rt.Handle(api.Route{Method: "GET", Path: "/test/short", Access: api.Open, Timeout: time.Millisecond, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			api.WriteJSON(w, r, 200, 1)
		})})
	})
	c := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer c.CloseIdleConnections()
	for _, path := range []string{"/test/short", "/nothing", "/test/short", "/healthz"} {
		r, err := c.Get("http://" + address + path) //nolint:noctx // it ends with the server
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		if err := r.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzRequests(f *testing.F) {
	for _, path := range []string{"/", "/admin-console/../x", "/test/things/%2e%2e/", "//x", "/test/things/a%2Fb/", "/assets/.x", "/admin-console/%00", "/a/./b", "*", "/api/mfe_config/v1?mfe=%zz"} {
		f.Add("GET", path, "Accept", "text/html")
		f.Add("POST", path, "X-Forwarded-For", "1.2.3.4, x")
	}
	s := withConsole(f)
	f.Fuzz(func(t *testing.T, method, path, name, value string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
			fmt.Sprintf("%s %s HTTP/1.1\r\nHost: evil.example\r\n%s: %s\r\n\r\n", method, path, name, value))))
		if err != nil {
			return // net/http answers it by itself
		}
		r.RemoteAddr = "192.0.2.1:1"
		w := &checked{header: http.Header{}}
		s.ServeHTTP(w, r.WithContext(t.Context()))
		if w.status >= 500 {
			t.Errorf("%s %s, %s: %s gave %d %s", method, path, name, value, w.status, w.body)
		}
		if strings.Contains(w.header.Get("Location"), "evil.example") || strings.HasPrefix(w.header.Get("Location"), "//") || strings.Contains(w.body, "SECRET") {
			t.Errorf("%s %s, %s: %s gave %d %v %s", method, path, name, value, w.status, w.header, w.body)
		}
	})
}

type checked struct {
	header http.Header
	status int
	body   string
}

func (w *checked) Header() http.Header { return w.header }
func (w *checked) WriteHeader(s int)   { w.status = s }
func (w *checked) Write(b []byte) (int, error) {
	w.body += string(b)
	return len(b), nil
}
