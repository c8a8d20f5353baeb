package cli

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/job"
)

// newJobCounter counts jobs that this server has run. The status queued is of those that it has put back, as it was told to end.
func newJobCounter() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lectern_jobs_ended_total", Help: "Attempts at jobs that this server has ended, by how they did.",
	}, []string{"kind", "status"})
}

// jobCollector tells of the jobs in the table, which are those of all servers and commands. It looks when it is asked.
type jobCollector struct {
	app   *app.App
	ready func() error
}

var jobsDesc = prometheus.NewDesc("lectern_jobs", "Jobs in the database: that wait, that run, that have failed and are still kept, and that run by a process which is gone.",
	[]string{"status"}, nil)

// countWithin is how long the table may take to answer: what is asked for figures must not wait for a busy database.
const countWithin = 2 * time.Second

// Describe names the series.
func (c jobCollector) Describe(to chan<- *prometheus.Desc) { to <- jobsDesc }

// Collect sends them, and none where the database cannot tell now.
func (c jobCollector) Collect(to chan<- prometheus.Metric) {
	if c.ready() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), countWithin)
	defer cancel()
	n, err := c.app.CountJobs(ctx)
	if err != nil {
		return // lectern_ready tells of it
	}
	for status, value := range map[string]int{"queued": n.Queued, "running": n.Running, "failed": n.Failed, "lost": n.Lost} {
		to <- prometheus.MustNewConstMetric(jobsDesc, prometheus.GaugeValue, float64(value), status)
	}
}

// work does jobs beside answering requests, until ctx ends. Each is a line of the log.
func work(ctx context.Context, b *assembled, a *app.App) {
	log := b.log
	trouble := func(err error) {
		log.LogAttrs(ctx, slog.LevelWarn, "jobs wait", slog.String("error", err.Error()))
	}
	err := a.As(app.System()).WorkJobs(ctx, app.JobWorker{
		Trouble: trouble,
		Ended: func(j job.Job, err error) {
			b.jobs.WithLabelValues(j.Kind, string(j.Status)).Inc()
			attrs := []slog.Attr{slog.Int64("job", j.ID), slog.String("kind", j.Kind), slog.String("status", string(j.Status)), slog.Int("attempt", j.Attempt)}
			if j.Started != nil && j.Finished != nil {
				attrs = append(attrs, slog.Int64("ms", j.Finished.Sub(*j.Started).Milliseconds()))
			}
			level := slog.LevelInfo
			if err != nil && j.Status == job.Failed {
				level, attrs = slog.LevelWarn, append(attrs, slog.String("error", err.Error()))
			}
			log.LogAttrs(ctx, level, "job", attrs...)
		},
	})
	if err != nil {
		trouble(err)
	}
}
