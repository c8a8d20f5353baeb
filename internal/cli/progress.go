package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/openlectern/lectern/app"
)

// meter shows how far a long operation is: a bar on a terminal, now and then a line elsewhere. With --json and no
// terminal it is silent, as then stderr belongs to the error document.
type meter struct {
	out      io.Writer
	terminal bool
	every    time.Duration
	now      func() time.Time

	step        string
	began, last time.Time
	first       int // how many were done when the step began to be told of
	drawn       bool
}

// progress returns a meter and the function that feeds it, nil when nothing shall be shown.
func (c *cli) progress() (*meter, app.Progress) {
	m := &meter{out: c.env.Stderr, terminal: isTerminal(c.env.Stderr), every: 5 * time.Second, now: time.Now}
	if c.global.quiet || c.global.noProgress || c.global.json && !m.terminal {
		return m, nil
	}
	if m.terminal {
		m.every = 100 * time.Millisecond
	}
	return m, m.update
}

func isTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// update is told of every item and shows few. A total of 0 is one that is not known. A unit of work that is run again
// starts its steps over, which shows as such.
func (m *meter) update(step string, done, total int) {
	now := m.now()
	if step != m.step || done == 0 {
		m.step, m.began, m.last, m.first = step, now, now, done
		if m.terminal {
			m.draw(step, done, total, 0)
		}
		return
	}
	// Where lines stay, only what takes long is worth one.
	finished := total > 0 && done >= total && (m.terminal || now.Sub(m.began) >= m.every)
	if now.Sub(m.last) < m.every && !finished {
		return
	}
	m.last = now
	m.draw(step, done, total, now.Sub(m.began))
}

func (m *meter) draw(step string, done, total int, spent time.Duration) {
	text := describe(step, done, total, done-m.first, spent)
	if !m.terminal {
		fmt.Fprintln(m.out, text)
		return
	}
	if total > 0 {
		const width = 24
		full := width * min(done, total) / total
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] " + text
	}
	fmt.Fprint(m.out, "\r\x1b[K", text)
	m.drawn = true
}

// describe says in words: what, how much, how fast, how long still. lately of the items were done in the time spent.
func describe(step string, done, total, lately int, spent time.Duration) string {
	if done == 0 && total == 0 {
		return step
	}
	text := fmt.Sprintf("%s %d", step, done)
	if total > 0 {
		text += fmt.Sprintf(" of %d (%d %%)", total, 100*done/total)
	}
	if spent < time.Millisecond || lately <= 0 {
		return text
	}
	rate := float64(lately) / spent.Seconds()
	text += fmt.Sprintf(", %.0f/s", rate)
	if total > done {
		left := time.Duration(float64(total-done) / rate * float64(time.Second))
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}

// end takes the bar away.
func (m *meter) end() {
	if m.drawn {
		fmt.Fprint(m.out, "\r\x1b[K")
		m.drawn = false
	}
}
