package prune

import (
	"time"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore/split"
)

// Policy says what of the history of each branch of each course stays beside its head. The rules add up (PR-2). Of a day,
// week or month the last structure stays, in UTC; weeks begin on Monday.
type Policy struct {
	Last      int  `json:"keep_last,omitempty"`    // this many predecessors of the head
	Days      int  `json:"keep_days,omitempty"`    // all that are younger than so many days
	Daily     int  `json:"keep_daily,omitempty"`   // one of each of the last this many days that have one
	Weekly    int  `json:"keep_weekly,omitempty"`  // and of weeks
	Monthly   int  `json:"keep_monthly,omitempty"` // and of months
	Published bool `json:"keep_published"`         // all of the published branch, and of libraries
	Labelled  bool `json:"keep_labelled"`          // pins that are labels
}

// Check refuses negative counts, and a policy that says nothing, as fault.Usage.
func (p Policy) Check() error {
	for _, n := range []int{p.Last, p.Days, p.Daily, p.Weekly, p.Monthly} {
		if n < 0 {
			return fault.Errorf(fault.Usage, "policy", "a count is negative")
		}
	}
	if p.Last+p.Days+p.Daily+p.Weekly+p.Monthly == 0 {
		return fault.Errorf(fault.Usage, "policy", "it says nothing about drafts that were never published").
			WithNext("say what to keep, for example: --keep-last 10 --keep-days 90 --keep-monthly 12")
	}
	return nil
}

// walk is a pointer into the history of one head, which goes from the newest to the oldest structure.
type walk struct {
	course int  // number of the course, -1 for structures of no head
	all    bool // everything stays
	every  bool // every version was a published one
	steps  int
	left   [3]int // of days, weeks, months
	last   [3]int // the ones that have theirs
}

func newWalk(p Policy, course int, branch string, all bool) walk {
	return walk{course: course, all: all, every: p.Published && branch != split.DraftBranch && branch != "", left: [3]int{p.Daily, p.Weekly, p.Monthly}}
}

// The reasons for which structures stay.
const (
	whyHead      = "head"
	whyAll       = "left alone"
	whyPublished = "published"
	whyLast      = "last"
	whyDays      = "days"
	whyDaily     = "daily"
	whyWeekly    = "weekly"
	whyMonthly   = "monthly"
	whyPin       = "pin"
	whyGuard     = "guard"
	whyLibrary   = "library content"
	whyIndex     = "index history"
	whyOutline   = "outline"
	whyGrade     = "grade"
)

// visit says why a structure stays, "" for no reason, and goes on.
func (w *walk) visit(p Policy, when time.Time, now time.Time) (why string) {
	first := w.steps == 0
	w.steps++
	for i := range w.left {
		if w.left[i] == 0 {
			continue
		}
		if in := period(i, when); in != w.last[i] {
			w.left[i]--
			w.last[i] = in
			why = [3]string{whyDaily, whyWeekly, whyMonthly}[i]
		}
	}
	switch {
	case w.all:
		return whyAll
	case first:
		return whyHead
	case w.every:
		return whyPublished
	case w.steps-1 <= p.Last:
		return whyLast
	case p.Days > 0 && now.Sub(when) < time.Duration(p.Days)*24*time.Hour:
		return whyDays
	}
	return why
}

// period numbers the days, weeks and months in which moments are.
func period(kind int, when time.Time) int {
	switch kind {
	case 0:
		return when.Year()*1000 + when.YearDay()
	case 1:
		year, week := when.ISOWeek()
		return year*100 + week
	}
	return when.Year()*100 + int(when.Month())
}
