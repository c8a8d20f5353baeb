package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// side is a server to send requests to.
type side struct {
	name string
	cmd  *exec.Cmd
	url  string
	sign func(r *http.Request, as string) // says who sends a request
}

func (s *side) pid() int { return s.cmd.Process.Pid }

func (s *side) stop() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return s.cmd.Wait()
}

// startLectern makes a database and serves it.
func startLectern(ctx context.Context, o options, work, place string) (*side, error) {
	env := lecternEnv(work, place)
	if err := makeSite(ctx, o, place, env); err != nil {
		return nil, err
	}
	tokens := map[string]string{}
	for _, name := range []string{admin, common} {
		cmd := exec.CommandContext(ctx, o.lectern, "user", "token", name, "--json")
		cmd.Env = env
		var doc struct{ Token string }
		if err := output(cmd, &doc); err != nil {
			return nil, err
		}
		tokens[name] = "Bearer " + doc.Token
	}
	sign := func(r *http.Request, as string) { r.Header.Set("Authorization", tokens[as]) }
	return start(ctx, "lectern", sign, "/readyz", func(address string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, o.lectern, "serve", "--quiet", "--listen", address, "--public-url", "http://"+address)
		cmd.Env = env
		return cmd
	})
}

func lecternEnv(work, place string) []string {
	return append(os.Environ(), "LECTERN_DB="+place, "LECTERN_DATA="+work)
}

// startDjango has Lectern make a database with the same rows, and Django serve it: two processes, as on two processors.
func startDjango(ctx context.Context, o options, work, place string) (*side, error) {
	if err := makeSite(ctx, o, place, lecternEnv(work, place)); err != nil {
		return nil, err
	}
	app, err := filepath.Abs(o.app)
	if err != nil {
		return nil, err
	}
	python := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, o.python, args...)
		cmd.Dir = app
		cmd.Env = append(os.Environ(), "LOAD_DB="+place, "PYTHONDONTWRITEBYTECODE=1")
		return cmd
	}
	sessions := map[string]string{}
	if err := output(python("served.py", "session", admin, common), &sessions); err != nil {
		return nil, err
	}
	csrf := strings.Repeat("load", 8) // any will do: the cookie and the header must be the same
	sign := func(r *http.Request, as string) {
		r.AddCookie(&http.Cookie{Name: "sessionid", Value: sessions[as]})
		r.AddCookie(&http.Cookie{Name: "csrftoken", Value: csrf})
		r.Header.Set("X-CSRFToken", csrf)
	}
	return start(ctx, "django", sign, "/api/authz/v1/orgs/", func(address string) *exec.Cmd {
		return python("-m", "gunicorn", "--workers", "2", "--worker-class", "sync", "--bind", address, "--timeout", "600",
			"--no-control-socket", "--log-level", "warning", "served:application")
	})
}

// output runs a program and reads the JSON that it prints.
func output(cmd *exec.Cmd, into any) error {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	return json.Unmarshal(out, into)
}

// start starts a server on a free port and waits until an address of it answers the administrator.
func start(ctx context.Context, name string, sign func(*http.Request, string), ready string, command func(address string) *exec.Cmd) (*side, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &side{name: name, cmd: command(address), url: "http://" + address, sign: sign}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+ready, nil)
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		sign(r, admin)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			if err := answer.Body.Close(); err == nil && answer.StatusCode == http.StatusOK {
				return s, nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.Join(fmt.Errorf("%s is not ready after a minute", name), s.stop())
}
