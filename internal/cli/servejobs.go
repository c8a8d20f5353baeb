package cli

import (
	"context"
	"log/slog"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/job"
)

// work does jobs beside answering requests, until ctx ends. Each is a line of the log.
func work(ctx context.Context, log *slog.Logger, a *app.App) {
	trouble := func(err error) {
		log.LogAttrs(ctx, slog.LevelWarn, "jobs wait", slog.String("error", err.Error()))
	}
	err := a.As(app.System()).WorkJobs(ctx, app.JobWorker{
		Trouble: trouble,
		Ended: func(j job.Job, err error) {
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
