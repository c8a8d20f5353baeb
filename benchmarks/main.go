// The program benchmarks measures Lectern's work as README.md defines it, and the same work of the Python packages
// where it is given them, and writes what it found into that file. Start it with ./benchmarks/run.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
)

type options struct {
	runs     int
	n        int
	only     string
	python   string
	authzPy  string
	peerRuns int
	peers    string // folder of the peers' scripts
	oldPy    string // Python with the packages of Ulmo
	server   string // URL of a MariaDB server
	readme   string
	keys     string // file of golden keys
	demo     string // sample archive

	// Of the processes that do the work.
	job     string
	cache   string
	setup   bool
	withRaw bool
	profile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := start(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

func start(ctx context.Context) error {
	var o options
	flag.IntVar(&o.runs, "runs", 5, "runs of each job; medians are reported")
	flag.IntVar(&o.n, "n", 0, "size of the jobs that have one, instead of the size to report; the README is left alone then")
	flag.StringVar(&o.only, "jobs", "", "only these jobs, with commas; the README is left alone then")
	flag.StringVar(&o.python, "python", "", "Python with the peers' packages; empty: they are not run")
	flag.IntVar(&o.peerRuns, "peer-runs", 1, "runs of each job of the peers, which take minutes")
	flag.StringVar(&o.peers, "peers-dir", "benchmarks/peers", "the peers' scripts")
	flag.StringVar(&o.authzPy, "authz-python", "", "Python with openedx-authz 1.35.0; empty: it is not run")
	flag.StringVar(&o.oldPy, "old-python", "", "Python with openedx-learning 0.30.2, which makes the site that is migrated; empty: none is")
	flag.StringVar(&o.server, "mariadb", "", "URL of a MariaDB server to migrate a site on as well; its database "+serverDatabase+" is REPLACED")
	flag.StringVar(&o.readme, "readme", "benchmarks/README.md", "where results go; empty: nowhere")
	flag.StringVar(&o.keys, "keys", "keys/testdata/golden/keys.jsonl", "keys to parse, in the form of the golden file")
	flag.StringVar(&o.demo, "demo", "", "archive of the sample course; empty: it is not imported")
	flag.StringVar(&o.job, "job", "", "run this job once in this process and print its lines")
	flag.StringVar(&o.cache, "cache", "", "with -job: folder for what is made once")
	flag.BoolVar(&o.setup, "setup", false, "with -job: only make what its runs share")
	flag.BoolVar(&o.withRaw, "raw", true, "with -job: write the same rows by the driver alone as well")
	flag.StringVar(&o.profile, "profile", "", "with -job: write a CPU profile of each of its pieces into this folder")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unknown argument %q", flag.Arg(0))
	}
	if o.job == "" {
		return drive(ctx, o)
	}
	return o.work(ctx)
}

// work runs one job in this process.
func (o options) work(ctx context.Context) (err error) {
	j, err := jobNamed(o.job)
	if err != nil {
		return err
	}
	if o.cache == "" {
		if o.cache, err = os.MkdirTemp("", "lectern-bench-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.cache)) }()
	}
	b := &bench{n: o.n, cache: o.cache, golden: o.keys, demo: o.demo, withRaw: o.withRaw, profile: o.profile,
		peers: o.peers, oldPython: o.oldPy, server: o.server}
	if b.n == 0 {
		b.n = j.n
	}
	if o.setup {
		if j.setup == nil {
			return nil
		}
		return b.inFolder(ctx, j.setup)
	}
	if err := b.inFolder(ctx, j.run); err != nil {
		return err
	}
	return b.print(os.Stdout)
}
