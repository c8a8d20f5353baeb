package api

import (
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics counts requests by the pattern of their route, so that there are no more series than routes.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	running  prometheus.Gauge
}

func newMetrics(rd *readiness, more []prometheus.Collector) (*metrics, error) {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lectern_http_requests_total", Help: "Requests answered, by route, method and status.",
		}, []string{"route", "method", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "lectern_http_request_duration_seconds", Help: "Time from a request's first line to the end of its answer, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
		running: prometheus.NewGauge(prometheus.GaugeOpts{Name: "lectern_http_requests_running", Help: "Requests being answered now."}),
	}
	all := []prometheus.Collector{
		m.requests, m.duration, m.running, &checkCollector{rd},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	for _, c := range append(all, more...) {
		if err := m.registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) begin() { m.running.Inc() }

func (m *metrics) end(method, route string, status int, took time.Duration) {
	m.running.Dec()
	m.requests.WithLabelValues(route, label(method), strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(route).Observe(took.Seconds())
}

// label keeps methods that somebody made up from making series.
func label(method string) string {
	for _, m := range order {
		if m == method {
			return m
		}
	}
	return "other"
}

// checkCollector tells of the checks of /readyz.
type checkCollector struct{ readiness *readiness }

var checkDesc = prometheus.NewDesc("lectern_ready", "1 where a check of /readyz passes, else 0.", []string{"check"}, nil)

// Describe names the series.
func (c *checkCollector) Describe(to chan<- *prometheus.Desc) { to <- checkDesc }

// Collect sends what the checks found last.
func (c *checkCollector) Collect(to chan<- prometheus.Metric) {
	c.readiness.mu.RLock()
	defer c.readiness.mu.RUnlock()
	for i, check := range c.readiness.checks {
		ok := 0.0
		if c.readiness.looked && c.readiness.problems[i] == nil {
			ok = 1
		}
		to <- prometheus.MustNewConstMetric(checkDesc, prometheus.GaugeValue, ok, check.Name)
	}
}

func (m *metrics) routes(rt *Router) {
	rt.Handle(Route{
		Method: http.MethodGet, Path: "/metrics", Access: Operators, Early: true, Quiet: true,
		Handler: promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{DisableCompression: false}),
		Operation: &huma.Operation{
			OperationID: "metrics", Tags: []string{tagServer}, Summary: "Figures for Prometheus",
			Description: "From loopback, from the networks of `--metrics-from`, or with the token of `--metrics-token` as `Authorization: Bearer`.",
			Responses: map[string]*huma.Response{
				"200": {Description: "Text in Prometheus' format.", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}},
				"403": rt.Answers(Answer{http.StatusForbidden, "Not for you.", &Problem{}})["403"],
			},
		},
	})
}
