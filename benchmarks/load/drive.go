package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/openlectern/lectern/benchmarks/proc"
)

// patience is how long an answer may take.
const patience = 5 * time.Minute

// pace is how long and how often to send. Without a rate the next request of a connection follows the answer; with one,
// so many requests a second are due in all, and an answer's time counts from when its request was due, late or not.
type pace struct{ seconds, rate float64 }

// measure is what was measured.
type measure struct {
	times []time.Duration // of each answer, the shortest first
	took  time.Duration   // from the first to the last
	cpu   time.Duration   // of the server and what it has started
	dbCPU time.Duration   // of the database's server
	own   time.Duration   // of the clients
}

func (m measure) rate() float64 { return float64(len(m.times)) / m.took.Seconds() }

// part returns the time in milliseconds within which a part of the answers came.
func (m measure) part(p float64) float64 {
	return ms(m.times[min(int(p*float64(len(m.times))), len(m.times)-1)])
}

// each returns the processor time of one request in milliseconds, with the database's server.
func (m measure) each() float64 { return ms(m.cpu+m.dbCPU) / float64(len(m.times)) }

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// drive sends requests from all connections for as long as asked, and at least one from each, after a second that does
// not count.
func drive(ctx context.Context, o options, s *side, next func(*rand.Rand) request, p pace, dbPID int) (m measure, err error) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.workers}, Timeout: patience}
	defer client.CloseIdleConnections()
	if _, err := send(ctx, o, s, client, next, pace{1, p.rate}); err != nil {
		return m, err
	}
	cpu, dbCPU, own, begin := proc.TreeCPU(s.pid()), proc.TreeCPU(dbPID), proc.OwnCPU(), time.Now()
	if m.times, err = send(ctx, o, s, client, next, p); err != nil {
		return m, err
	}
	m.took = time.Since(begin)
	m.cpu, m.dbCPU, m.own = proc.TreeCPU(s.pid())-cpu, proc.TreeCPU(dbPID)-dbCPU, proc.OwnCPU()-own
	return m, nil
}

// send sends requests and returns how long the answers took, the shortest first.
func send(ctx context.Context, o options, s *side, client *http.Client, next func(*rand.Rand) request, p pace) ([]time.Duration, error) {
	begin := time.Now()
	end := begin.Add(time.Duration(p.seconds * float64(time.Second)))
	times := make([][]time.Duration, o.workers)
	errs := make([]error, o.workers)
	var wait sync.WaitGroup
	for i := range o.workers {
		wait.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 7))
			for n := 0; ; n++ {
				at := time.Now()
				if p.rate > 0 {
					at = begin.Add(time.Duration(float64(n*o.workers+i) / p.rate * float64(time.Second)))
				}
				if n > 0 && !at.Before(end) {
					return
				}
				time.Sleep(time.Until(at))
				if _, errs[i] = s.send(ctx, client, next(r)); errs[i] != nil {
					return
				}
				times[i] = append(times[i], time.Since(at))
			}
		})
	}
	wait.Wait()
	return slices.Sorted(slices.Values(slices.Concat(times...))), errors.Join(errs...)
}
