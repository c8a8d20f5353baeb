package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
)

// report is the text of the results.
type report struct {
	ours    string
	servers string // "" when there was none
	peers   string // "" when they were not run
}

// The targets.
const (
	maxOfRaw  = 2.0 // times the raw insertion of the same rows
	minRepeat = 10  // how much faster than the first an import of what is there already has to be
	maxPeak   = 100 // MiB, importing an archive of any size
	maxKey    = 150 // ns, to parse and print a usual key
	minScan   = 100 // MB of BSON a second, scanning an old site
	maxRead   = 0.3 // s, reading a structure of 20,000 blocks with its content
)

func (r *results) report(o options) report {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Medians of %d %s.\n\n", machine(), o.runs, plural(o.runs, "run"))
	b.WriteString("| Work | Operations | CPU s | Wall s | CPU µs/op | Rows | Raw CPU s | × raw | Statements | at 2 n | Peak MiB |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, name := range r.order {
		lines := r.lines[name]
		l := lines[0]
		if l.Server != "" {
			continue
		}
		cpu := median(lines, cpuOf)
		fmt.Fprintf(&b, "| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %.0f |\n", name, l.Ops, seconds(cpu), seconds(median(lines, wallOf)),
			figure(cpu/float64(l.Ops)*1e6), number(l.Rows), seconds(median(lines, func(l *Line) float64 { return l.RawCPU })),
			figure(median(lines, ofRaw)), number(l.Statements), r.doubled(name), median(lines, func(l *Line) float64 { return l.Peak }))
	}
	b.WriteString("\n")
	for _, t := range r.targets() {
		fmt.Fprintf(&b, "* %s\n", t)
	}
	return report{b.String(), r.ofServers(o), r.comparison()}
}

// ofServers is the table of servers. CPU time is that of this process and of the server together, where the latter is
// known.
func (r *results) ofServers(o options) string {
	var b strings.Builder
	for _, name := range r.order {
		lines := r.lines[name]
		l := lines[0]
		if l.Server == "" {
			continue
		}
		if b.Len() == 0 {
			fmt.Fprintf(&b, "%s. Medians of %d %s.\n\n", machine(), o.runs, plural(o.runs, "run"))
			b.WriteString("| Server | Work | Rows | Statements | CPU s (ours) | Wall s | Single rows: CPU s | Wall s | × CPU | × wall | Many rows: CPU s | Wall s | × CPU | × wall |\n")
			b.WriteString("|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
		}
		cpu := func(l *Line) float64 { return l.CPU + l.ServerCPU }
		engine, work, _ := strings.Cut(name, " ")
		version, _, _ := strings.Cut(l.Server, " ")
		fmt.Fprintf(&b, "| %s %s | %s | %d | %d | %s (%s) | %s |", engine, version, work, l.Rows, l.Statements, seconds(median(lines, cpu)),
			seconds(median(lines, cpuOf)), seconds(median(lines, wallOf)))
		for _, raw := range []func(*Line) Raw{func(l *Line) Raw { return l.Raw }, func(l *Line) Raw { return l.Bulk }} {
			rawCPU := func(l *Line) float64 { return raw(l).CPU + raw(l).ServerCPU }
			rawWall := func(l *Line) float64 { return raw(l).Wall }
			fmt.Fprintf(&b, " %s | %s | **%s** | %s |", seconds(median(lines, rawCPU)), seconds(median(lines, rawWall)),
				figure(median(lines, func(l *Line) float64 { return cpu(l) / rawCPU(l) })),
				figure(median(lines, func(l *Line) float64 { return wallOf(l) / rawWall(l) })))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func cpuOf(l *Line) float64  { return l.CPU }
func wallOf(l *Line) float64 { return l.Seconds }

func ofRaw(l *Line) float64 {
	if l.RawCPU == 0 {
		return 0
	}
	return l.CPU / l.RawCPU
}

func (r *results) doubled(name string) string {
	if l := r.double[name]; l != nil {
		return number(l.Statements)
	}
	return ""
}

// targets says of each target whether it was met.
func (r *results) targets() (out []string) {
	say := func(met bool, format string, args ...any) {
		word := "met"
		if !met {
			word = "**missed**"
		}
		out = append(out, fmt.Sprintf(format, args...)+": "+word)
	}
	for _, name := range r.order {
		if x := median(r.lines[name], ofRaw); x > 0 {
			say(x <= maxOfRaw, "%s: %s × the raw insertion of its rows; target at most %.0f", name, figure(x), maxOfRaw)
		}
	}
	for _, name := range []string{"demo", "problems"} {
		first, again := r.lines[name+" import"], r.lines[name+" again"]
		if first == nil {
			continue
		}
		prepare := r.lines[name+" prepare"]
		with := func(figure func(*Line) float64) float64 {
			p := median(prepare, figure)
			return (median(first, figure) + p) / (median(again, figure) + p)
		}
		say(with(cpuOf) >= minRepeat, "%s again: %.1f times less CPU and %.1f times less wall time than the first import, both with preparing; target %d",
			name, with(cpuOf), with(wallOf), minRepeat)
	}
	if l := r.lines["keys"]; l != nil {
		ns := median(l, cpuOf) / float64(l[0].Ops) * 1e9
		out = append(out, fmt.Sprintf("keys: %.0f ns a key over all kinds and the oddest forms; the target of %d ns is for the usual ones, see go test -bench . ./keys", ns, maxKey))
	}
	if l := r.lines["scan"]; l != nil {
		rate := float64(l[0].Bytes) / 1e6 / median(l, cpuOf)
		say(rate >= minScan, "scan: %.0f MB of BSON in a CPU second; target at least %d", rate, minScan)
	}
	if l := r.lines["structure"]; l != nil {
		say(median(l, cpuOf) < maxRead, "structure: %s CPU s for %d blocks; target below %s", seconds(median(l, cpuOf)), l[0].Ops, figure(maxRead))
	}
	if l := r.lines["memory import"]; l != nil {
		peak := median(l, func(l *Line) float64 { return l.Peak })
		say(peak < maxPeak, "memory: %.0f MiB while %d MiB of static files and %d MiB of text were imported; target below %d", peak, l[0].N, l[0].N/4, maxPeak)
	}
	return out
}

// comparison is the table of peers.
func (r *results) comparison() string {
	if len(r.peers) == 0 {
		return ""
	}
	var b strings.Builder
	runs := 0
	for _, l := range r.peers {
		runs = max(runs, len(l))
	}
	fmt.Fprintf(&b, "%s. The peer's figures are medians of %d %s.\n\n", machine(), runs, plural(runs, "run"))
	b.WriteString("| Work | Peer CPU s | Lectern CPU s | Times less | Peer statements | Lectern's | Peer peak MiB | Lectern's |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, p := range allPeers {
		for _, x := range p.pieces {
			theirs, ours := r.peers[x.name], r.lines[x.ours]
			if theirs == nil || ours == nil {
				continue
			}
			t, u := median(theirs, cpuOf), median(ours, cpuOf)
			note := ""
			if x.perOp { // theirs are too few to measure ours by
				t, u = t/float64(theirs[0].Ops), u/float64(ours[0].Ops)
				note = ", each"
			}
			if x.exact && theirs[0].Check != ours[0].Check {
				note += " (NOT the same result)"
			}
			peak := func(l *Line) float64 { return l.Peak }
			fmt.Fprintf(&b, "| %s%s | %s | %s | **%s** | %s | %s | %.0f | %.0f |\n", x.name, note, seconds(t), seconds(u), figure(t/u),
				number(theirs[0].Statements), number(ours[0].Statements), median(theirs, peak), median(ours, peak))
		}
	}
	b.WriteString(r.migration())
	if raw, create := r.peers[rawPeer], r.lines["create"]; raw != nil && create != nil {
		t := median(raw, cpuOf)
		fmt.Fprintf(&b, "\nThe rows of create, inserted raw, take Python %s CPU s and Go %s. The peer's create is %s × its raw limit, Lectern's %s × its own.\n",
			seconds(t), seconds(median(create, func(l *Line) float64 { return l.RawCPU })), figure(median(r.peers["create"], cpuOf)/t), figure(median(create, ofRaw)))
	}
	return b.String()
}

// migration is the table of the peers' wall times, where they or the server wait as much as they work.
func (r *results) migration() string {
	var b strings.Builder
	for _, engine := range []string{"sqlite", "mysql"} {
		for _, x := range migratePieces(engine) {
			theirs, ours := r.peers[x.name], r.lines[x.ours]
			if theirs == nil || ours == nil {
				continue
			}
			if b.Len() == 0 {
				b.WriteString("\n| Work | Peer wall s | Lectern wall s | Times less |\n|---|--:|--:|--:|\n")
			}
			t, u := median(theirs, wallOf), median(ours, wallOf)
			fmt.Fprintf(&b, "| %s | %s | %s | **%s** |\n", x.name, seconds(t), seconds(u), figure(t/u))
		}
	}
	return b.String()
}

// machine says in a line what the figures were measured on.
func machine() string {
	driver := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "modernc.org/sqlite" {
				driver = ", " + m.Path + " " + m.Version
			}
		}
	}
	load := ""
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(b), " ")
		load = ", load average " + first + " at the end"
	}
	return fmt.Sprintf("%s, %s/%s, %d processors%s%s", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), driver, load)
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func seconds(v float64) string {
	if v == 0 {
		return ""
	}
	if v < 0.001 {
		return fmt.Sprintf("%.2g", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// figure prints a number with about three digits; nothing for zero.
func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// writeTo puts the results between their markers in a file.
func (t report) writeTo(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text, err := between(string(b), "results", t.ours)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for name, part := range map[string]string{"servers": t.servers, "peers": t.peers} {
		if part == "" {
			continue
		}
		if text, err = between(text, name, part); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return os.WriteFile(path, []byte(text), 0o666)
}

// between replaces what stands between the two markers of a name.
func between(text, name, by string) (string, error) {
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
	before, rest, ok := strings.Cut(text, begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		return "", fmt.Errorf("no markers %s…%s", strings.TrimSpace(begin), end)
	}
	return before + begin + by + end + after, nil
}
