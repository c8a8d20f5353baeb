package cli

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openlectern/lectern/api"
	authzapi "github.com/openlectern/lectern/api/authz"
	"github.com/openlectern/lectern/api/jobs"
	"github.com/openlectern/lectern/api/legacy"
	migratorapi "github.com/openlectern/lectern/api/migrator"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/authz"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/user"
)

// assembled are the parts of a server that go on beside answering requests.
type assembled struct {
	server *api.Server
	engine *authz.Engine
	people *signin.Service
	jobs   *prometheus.CounterVec // that have ended
	public *url.URL
	log    *slog.Logger
}

// assemble puts the server together on a store.
func (c *cli) assemble(a *app.App, f *serving, conf api.Config, statements *atomic.Uint64) (*assembled, error) {
	people, service, err := f.handlers(a, c.env.Getenv, conf.Public, f.origins)
	if err != nil {
		return nil, err
	}
	engine := a.Engine()
	permissions := authzapi.New(authzapi.Config{Store: a, Person: people.Person, Log: conf.Log,
		OfferedOnly: f.hideUnflagged, OldNames: f.oldNames})
	conf.Store, conf.Auth = store{a}, people
	conf.Parts = []func(*api.Router){people.Routes, permissions.Mount, (&jobs.API{Store: a, Person: people.Person}).Mount,
		(&legacy.API{Store: a, Person: people.Person}).Mount, (&migratorapi.API{Store: a, Person: people.Person}).Mount}
	conf.Checks = []api.Check{{Name: "database", Probe: usable(a, engine)}, {Name: "policy", Probe: current(a, engine)}}
	ended := newJobCounter()
	var server *api.Server
	ready := func() error { return server.Ready() }
	conf.Collectors = []prometheus.Collector{
		ended, jobCollector{a.As(app.System()), ready},
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "lectern_db_statements_total", Help: "Statements, and batches of bulk ones, sent to the database.",
		}, func() float64 { return float64(statements.Load()) }),
		policyCollector{engine},
	}
	server, err = api.New(conf)
	return &assembled{server: server, engine: engine, people: service, jobs: ended, public: conf.Public, log: conf.Log}, err
}

// store lets the server call use cases as the person who asks.
type store struct{ app *app.App }

// Account implements [api.Store].
func (s store) Account(ctx context.Context, viewer api.Person, name string) (app.Account, error) {
	return s.app.As(app.Person(user.User{ID: user.ID(viewer.ID), Username: viewer.Username})).Account(ctx, name)
}

// lookEvery is how often the tables themselves are looked at while all is well; else it is asked only whether the database
// answers.
const lookEvery = 30 * time.Second

// usable returns the check that requests can be answered: the database answers and has today's tables, and permissions
// have been read once, as everything would be denied before. It is asked from one goroutine at a time.
func usable(a *app.App, e *authz.Engine) func(context.Context) error {
	var looked time.Time // when all was well
	return func(ctx context.Context) error {
		if time.Since(looked) < lookEvery {
			if err := a.Ping(ctx); err != nil {
				looked = time.Time{}
				return err
			}
			return nil
		}
		if err := a.Ready(ctx); err != nil {
			return err
		}
		if there, err := a.HasPermissions(ctx); err != nil {
			return err
		} else if there && !e.Loaded() {
			return fault.Errorf(fault.Refused, "permissions", "they are being read").WithNext("wait")
		}
		looked = time.Now()
		return nil
	}
}

// maxStale is how old permissions may be before /readyz says so. Those of a server that keeps up are half a second old.
const maxStale = 5 * time.Second

// current returns the check that permissions are no staler than promised.
func current(a *app.App, e *authz.Engine) func(context.Context) error {
	return func(ctx context.Context) error {
		stale, err := e.Staleness()
		if !e.Loaded() {
			if there, err := a.HasPermissions(ctx); err == nil && !there {
				return fault.Errorf(fault.Refused, "permissions", "the database has no tables of today for them").WithNext("make a backup, then run lectern db migrate")
			}
		}
		if e.Loaded() && stale <= maxStale {
			return nil
		}
		return errors.Join(fault.Errorf(fault.Unavailable, "policy", "it is %s old", stale.Round(time.Millisecond)), err)
	}
}

// policyCollector tells of the permissions in use.
type policyCollector struct{ engine *authz.Engine }

var (
	staleDesc  = prometheus.NewDesc("lectern_policy_staleness_seconds", "How long ago it was last certain that the permissions in use are current.", nil, nil)
	policyDesc = prometheus.NewDesc("lectern_policy_info", "The version of the permissions in use.", []string{"version"}, nil)
)

// Describe names the series.
func (c policyCollector) Describe(to chan<- *prometheus.Desc) {
	to <- staleDesc
	to <- policyDesc
}

// Collect sends them, when there are permissions at all.
func (c policyCollector) Collect(to chan<- prometheus.Metric) {
	if !c.engine.Loaded() {
		return
	}
	stale, _ := c.engine.Staleness()
	to <- prometheus.MustNewConstMetric(staleDesc, prometheus.GaugeValue, stale.Seconds())
	to <- prometheus.MustNewConstMetric(policyDesc, prometheus.GaugeValue, 1, c.engine.Index().Version().String())
}
