package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// results are the lines of all runs.
type results struct {
	order  []string           // pieces of work, as they came
	lines  map[string][]*Line // by piece, one a run
	double map[string]*Line   // the same at twice the size
	peers  map[string][]*Line
}

// drive runs every job in processes of its own, the peers after them, and reports.
func drive(ctx context.Context, o options) (err error) {
	if o.cache, err = os.MkdirTemp("", "lectern-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.cache)) }()
	if o.keys, err = commonKeys(o.keys, o.cache); err != nil {
		return err
	}
	chosen, err := o.chosen()
	if err != nil {
		return err
	}
	r := &results{lines: map[string][]*Line{}, double: map[string]*Line{}, peers: map[string][]*Line{}}
	for run := range o.runs {
		for _, j := range chosen {
			if err := o.run(ctx, r, j, run); err != nil {
				return err
			}
		}
	}
	if o.python != "" {
		if err := o.runPeers(ctx, r, chosen); err != nil {
			return err
		}
	}
	text := r.report(o)
	fmt.Print(text.ours, text.servers, text.peers)
	if o.readme == "" || o.n != 0 || o.only != "" {
		return nil
	}
	return text.writeTo(o.readme)
}

// chosen returns the jobs to run.
func (o options) chosen() (list []job, err error) {
	if o.only == "" {
		list = slices.Clone(jobs)
	} else {
		for name := range strings.SplitSeq(o.only, ",") {
			j, err := jobNamed(name)
			if err != nil {
				return nil, err
			}
			list = append(list, j)
		}
	}
	return slices.DeleteFunc(list, func(j job) bool {
		return j.name == "demo" && o.demo == "" || j.name == "migrate" && o.oldPy == "" || j.needs != "" && os.Getenv(j.needs) == ""
	}), nil
}

// size returns how large a job is in this run of the program; 0 for one without a size.
func (o options) size(j job) int {
	if j.n == 0 || j.name == "memory" {
		return j.n
	}
	return cmp.Or(o.n, j.n)
}

// run is one run of a job, and in the first one what belongs to all.
func (o options) run(ctx context.Context, r *results, j job, run int) error {
	if run > 0 && j.once {
		return nil
	}
	n := o.size(j)
	if run == 0 {
		if _, err := o.child(ctx, j, n, "-setup"); err != nil {
			return err
		}
	}
	say("%s, run %d of %d", j.name, run+1, o.runs)
	lines, err := o.child(ctx, j, n)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if r.lines[l.Job] == nil {
			r.order = append(r.order, l.Job)
		}
		r.lines[l.Job] = append(r.lines[l.Job], l)
	}
	if run > 0 || !j.double {
		return nil
	}
	say("%s at twice the size", j.name)
	if lines, err = o.child(ctx, j, 2*n, "-raw=false"); err != nil {
		return err
	}
	for _, l := range lines {
		r.double[l.Job] = l
	}
	return nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// child runs a job in a process of its own.
func (o options) child(ctx context.Context, j job, n int, more ...string) ([]*Line, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := append([]string{"-job", j.name, "-n", strconv.Itoa(n), "-cache", o.cache, "-keys", o.keys, "-demo", o.demo,
		"-peers-dir", o.peers, "-old-python", o.oldPy, "-mariadb", o.server}, more...)
	return linesOf(exec.CommandContext(ctx, self, args...))
}

// linesOf runs a program and reads the JSON lines that it prints.
func linesOf(cmd *exec.Cmd) (lines []*Line, err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	s := bufio.NewScanner(bytes.NewReader(out))
	for s.Scan() {
		if !bytes.HasPrefix(s.Bytes(), []byte("{")) {
			continue
		}
		l := new(Line)
		if err := json.Unmarshal(s.Bytes(), l); err != nil {
			return nil, fmt.Errorf("%s: %w", cmd.Args[0], err)
		}
		lines = append(lines, l)
	}
	return lines, s.Err()
}

// commonKeys writes the lines of a file of keys that are accepted here, so that everyone parses the same ones.
func commonKeys(path, dir string) (string, error) {
	all, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for line := range bytes.Lines(all) {
		w, ok, err := accepted(line)
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		if !ok {
			continue
		}
		if _, err := parsePrint(w.kind, w.input); err == nil { // a few are refused on purpose (keys.md §6.4)
			out.Write(line)
		}
	}
	to := filepath.Join(dir, "keys.jsonl")
	return to, os.WriteFile(to, out.Bytes(), 0o666)
}

// median returns the middle of a figure over runs.
func median(lines []*Line, figure func(*Line) float64) float64 {
	v := make([]float64, 0, len(lines))
	for _, l := range lines {
		v = append(v, figure(l))
	}
	slices.Sort(v)
	switch n := len(v); {
	case n == 0:
		return 0
	case n%2 == 1:
		return v[n/2]
	default:
		return (v[n/2-1] + v[n/2]) / 2
	}
}
