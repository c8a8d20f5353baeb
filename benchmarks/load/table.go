package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// table returns the results as Markdown.
func (o options) table(all []result) string {
	var b strings.Builder
	load, _ := os.ReadFile("/proc/loadavg") // absent on other systems
	average, _, _ := strings.Cut(string(load), " ")
	fmt.Fprintf(&b, "%s, %d processors, load average %s at the end; %d people with %d assignments, %d connections. One run.\n\n",
		runtime.Version(), runtime.NumCPU(), average, o.people, 2*o.people, o.workers)
	b.WriteString("| Database | Requests | By | Answers | A second | p50 ms | p99 ms | CPU ms each | of it the database | beside it the clients |\n")
	b.WriteString("|---|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range all {
		r.row(&b, "Lectern", r.ours)
		if len(r.peer.times) > 0 {
			r.row(&b, "Django", r.peer)
			r.row(&b, fmt.Sprintf("Lectern, %d × Django's rate", times), r.paced)
		}
	}
	if len(all) > 0 && len(all[0].peer.times) > 0 {
		b.WriteString("\n")
		for _, r := range all {
			fmt.Fprintf(&b, "* %s, %s: **%s** times the requests a second, **%s** times less CPU, p99 %s ms; aim %d times and 10 ms: %s\n",
				r.database, r.name, figure(r.ours.rate()/r.peer.rate()), figure(r.peer.each()/r.ours.each()), figure(r.ours.part(0.99)), times,
				map[bool]string{true: "met", false: "missed"}[r.ours.part(0.99) < 10 && r.ours.rate() >= times*r.peer.rate()])
		}
	}
	return b.String()
}

func (r result) row(b *strings.Builder, by string, m measure) {
	database := ""
	if m.dbCPU > 0 {
		database = figure(ms(m.dbCPU) / float64(len(m.times)))
	}
	fmt.Fprintf(b, "| %s | %s | %s | %d | %s | %s | %s | %s | %s | %s |\n", r.database, r.name, by, len(m.times), figure(m.rate()),
		figure(m.part(0.5)), figure(m.part(0.99)), figure(m.each()), database, figure(ms(m.own)/float64(len(m.times))))
}

// figure writes a number with three digits that mean something.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// The markers between which a file has the results.
const (
	beginMark = "<!-- load -->\n"
	endMark   = "<!-- /load -->"
)

// writeInto puts the results between the markers of a file.
func writeInto(path, text string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(b), beginMark)
	_, after, ended := strings.Cut(rest, endMark)
	if !begun || !ended {
		return fmt.Errorf("%s has no markers %s…%s", path, strings.TrimSpace(beginMark), endMark)
	}
	return os.WriteFile(path, []byte(before+beginMark+text+endMark+after), 0o666)
}
