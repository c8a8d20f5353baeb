package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// spent is time on the wall and of the processor, all threads of this process together. On a machine that does other
// things too the latter is the one to compare.
type spent struct{ wall, cpu time.Duration }

func clock() spent {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // only for a wrong argument
	}
	return spent{time.Duration(time.Now().UnixNano()), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

func since(start spent) spent {
	now := clock()
	return spent{now.wall - start.wall, now.cpu - start.cpu}
}

// Line is what one measured piece of work took: one line of JSON, as the Python peers print it.
type Line struct {
	Job        string  `json:"job"`
	N          int     `json:"n"`
	Ops        int     `json:"ops"` // what per-operation figures are per
	Seconds    float64 `json:"seconds"`
	CPU        float64 `json:"cpu_seconds"`
	Peak       float64 `json:"peak_rss_mb"` // of the process, from the start of the piece
	Statements int     `json:"queries"`     // statements and batches that reached the database
	// The same rows inserted by the driver alone; zero where that is not measured.
	Rows       int     `json:"rows_written,omitempty"`
	RawSeconds float64 `json:"raw_seconds,omitempty"`
	RawCPU     float64 `json:"raw_cpu_seconds,omitempty"`
	// Of a server: its version, the CPU time of its processes where they are known, and the same rows written raw.
	Server    string  `json:"server,omitempty"`
	ServerCPU float64 `json:"server_cpu_seconds,omitempty"`
	Raw       Raw     `json:"raw,omitzero"`
	Bulk      Raw     `json:"bulk,omitzero"`
	// Check is a number that tells whether another program did the same work.
	Check int   `json:"check,omitempty"`
	Bytes int64 `json:"bytes,omitempty"`         // that were read
	Chars int   `json:"chars_printed,omitempty"` // the same, as a peer calls it
}

// Raw is what it takes to write the rows of a piece of work to a server by the driver alone, in seconds.
type Raw struct {
	Wall      float64 `json:"wall"`
	CPU       float64 `json:"cpu"`
	ServerCPU float64 `json:"server_cpu,omitempty"`
}

// measure runs one piece of work, from a collected heap, and tells what it took.
func (b *bench) measure(job string, ops int, fn func(context.Context) error) (*Line, error) {
	stop, err := b.profiled(job)
	if err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	resetPeak()
	before := b.statements.Load()
	start := clock()
	err = fn(b.ctx)
	took := since(start)
	if err = errors.Join(err, stop()); err != nil {
		return nil, fmt.Errorf("%s: %w", job, err)
	}
	l := &Line{Job: job, N: b.n, Ops: ops, Seconds: took.wall.Seconds(), CPU: took.cpu.Seconds(), Peak: peak(),
		Statements: int(b.statements.Load() - before)}
	b.lines = append(b.lines, l)
	return l, nil
}

// profiled starts a CPU profile of one piece of work where profiles are wanted.
func (b *bench) profiled(job string) (stop func() error, err error) {
	if b.profile == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(filepath.Join(b.profile, strings.ReplaceAll(job, " ", "-")+".pprof"))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// resetPeak makes the kernel forget the highest resident size of this process so far.
func resetPeak() {
	// Where it cannot be reset the figure is that of the whole process, which is no smaller.
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peak returns the highest resident size of this process since resetPeak, in MiB.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err == nil {
		for line := range strings.Lines(string(status)) {
			if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")))
				if err == nil {
					return float64(n) / 1024
				}
			}
		}
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	if runtime.GOOS == "darwin" {
		return float64(u.Maxrss) / (1 << 20)
	}
	return float64(u.Maxrss) / 1024
}
