package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"github.com/openlectern/lectern/course"
	"github.com/openlectern/lectern/fault"
)

// printer puts results on stdout and failures on stderr, for people or for programs.
type printer interface {
	result(document) error
	failure(*fault.Error) error
}

// document is the result of a command: its exported fields are the JSON contract, text is how people read it.
type document interface {
	text(w *textWriter)
}

func (c *cli) printer() printer {
	if c.global.json {
		return jsonPrinter{c.env.Stdout, c.env.Stderr}
	}
	return textPrinter{c.env.Stdout, c.env.Stderr, c.global.quiet}
}

// print hands a result to the printer.
func (c *cli) print(d document) error {
	if err := c.printer().result(d); err != nil {
		return fault.Errorf(fault.Unavailable, "standard output", "%w", err)
	}
	return nil
}

type jsonPrinter struct{ out, err io.Writer }

func (p jsonPrinter) result(d document) error { return writeJSON(p.out, d) }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// failure writes the error document. Further data of a fault, such as the two sides of a conflict, stand beside its
// usual fields.
func (p jsonPrinter) failure(e *fault.Error) error {
	fields := map[string]any{"code": e.Kind.Code(), "message": e.Text, "thing": e.Thing, "next": e.Next}
	if e.Data != nil {
		more, err := json.Marshal(e.Data)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(more, &fields); err != nil {
			return err
		}
	}
	return writeJSON(p.err, map[string]any{"error": fields})
}

type textPrinter struct {
	out, err io.Writer
	quiet    bool
}

func (p textPrinter) result(d document) error {
	if p.quiet {
		return nil
	}
	w := &textWriter{}
	w.table = tabwriter.NewWriter(&w.buf, 0, 8, 2, ' ', 0)
	d.text(w)
	if err := w.table.Flush(); err != nil {
		return err
	}
	_, err := p.out.Write(trimLines(w.buf.Bytes()))
	return err
}

// trimLines takes the blanks that padding leaves at the ends of lines.
func trimLines(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	for i := range lines {
		lines[i] = bytes.TrimRight(lines[i], " ")
	}
	return bytes.Join(lines, []byte("\n"))
}

func (p textPrinter) failure(e *fault.Error) error {
	_, err := fmt.Fprintf(p.err, "lectern: %s\n", e.Error())
	if e.Next != "" && err == nil {
		_, err = fmt.Fprintf(p.err, "  next: %s\n", e.Next)
	}
	if both, ok := e.Data.(course.Stale); ok && err == nil {
		base, draft := fmt.Sprintf("version %d", both.Base.Version), fmt.Sprintf("version %d", both.Draft.Version)
		_, err = fmt.Fprintf(p.err, "what was changed meanwhile:\n%s", udiff.Unified(base, draft, both.Base.OLX, both.Draft.OLX))
	}
	return err
}

// textWriter is where documents write text for people. Cells of rows are aligned below each other until the next line.
// Writing to it cannot fail: it is kept in memory.
type textWriter struct {
	buf   bytes.Buffer
	table *tabwriter.Writer
}

// line writes a line as it is.
func (w *textWriter) line(format string, args ...any) {
	_ = w.table.Flush()
	fmt.Fprintf(&w.buf, format+"\n", args...)
}

// row writes the cells of a row.
func (w *textWriter) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(w.table, "\t")
		}
		fmt.Fprint(w.table, plain(fmt.Sprint(cell)))
	}
	fmt.Fprintln(w.table)
}

// plain keeps content from breaking lines and columns, or from speaking to the terminal.
func plain(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, []byte(s)))
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// stamp is a time as documents have it: RFC 3339 in UTC with microseconds.
type stamp time.Time

const stampLayout = "2006-01-02T15:04:05.000000Z"

func (s stamp) String() string { return time.Time(s).UTC().Format(stampLayout) }

// MarshalText writes the time.
func (s stamp) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// short is the time for people, without what they do not need.
func (s stamp) short() string { return time.Time(s).UTC().Format("2006-01-02 15:04:05") }

func stampOf(t *time.Time) *stamp {
	if t == nil {
		return nil
	}
	s := stamp(*t)
	return &s
}
