package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/outbox"
)

// eventList is the document of the events.
type eventList struct {
	Events []eventLine `json:"events"`
}

type eventLine struct {
	ID      int64  `json:"id"`
	UUID    string `json:"uuid"`
	Type    string `json:"type"`
	Time    stamp  `json:"time"`
	Created stamp  `json:"created"`
	Package int64  `json:"learning_package"`
	Title   string `json:"title"`
	By      *int64 `json:"user_id"`
	Log     *int64 `json:"log"`
}

func newEventLine(e outbox.Event) eventLine {
	return eventLine{e.ID, e.UUID.String(), outbox.Prefix + string(e.Type), stamp(e.At), stamp(e.Created), e.Package, e.Title, orNull(e.By), orNull(e.Log)}
}

func orNull(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func (d eventList) text(w *textWriter) {
	if len(d.Events) == 0 {
		w.line("no events")
		return
	}
	w.row("EVENT", "WHEN (UTC)", "PACKAGE", "TITLE", "TYPE")
	for _, e := range d.Events {
		w.row(e.ID, e.Created.short(), e.Package, e.Title, strings.TrimPrefix(e.Type, outbox.Prefix))
	}
}

// shownEvent is the document of one event: the event as receivers get it.
type shownEvent struct {
	Spec      string   `json:"specversion"`
	ID        string   `json:"id"`
	Source    string   `json:"source"`
	Type      string   `json:"type"`
	Time      stamp    `json:"time"`
	Content   string   `json:"datacontenttype"`
	Partition string   `json:"partitionkey"`
	Sequence  string   `json:"sequence"`
	Data      struct{} `json:"data"` // by the type
	doc       json.RawMessage
}

// MarshalJSON writes the event.
func (d shownEvent) MarshalJSON() ([]byte, error) { return d.doc, nil }

func (d shownEvent) text(w *textWriter) { w.line("%s", d.doc) }

// deliveryReport is the document of a deliverer when it ends.
type deliveryReport struct {
	Sent   int   `json:"sent"`
	Failed int   `json:"failed"` // attempts
	Dead   int   `json:"dead"`   // of the failed, those given up
	Swept  int64 `json:"swept"`  // old events removed
}

func (d deliveryReport) text(w *textWriter) {
	w.line("%s delivered, %s failed, %d of them given up; %s removed", count(d.Sent, "event", "events"),
		count(d.Failed, "attempt", "attempts"), d.Dead, count(int(d.Swept), "old event", "old events"))
}

func (c *cli) eventsCommand() *cobra.Command {
	noun := c.family("events", "See what happened, and deliver it to webhooks",
		verb{c.eventsListCommand(), eventList{}}, verb{c.eventsShowCommand(), shownEvent{}}, verb{c.eventsDeliverCommand(), deliveryReport{}})
	noun.AddCommand(c.deadCommand())
	return noun
}

func (c *cli) eventsListCommand() *cobra.Command {
	var f app.EventFilter
	var since string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, the newest last",
		Long: `List shows what happened in learning packages: every change and publish leaves an event in the same transaction.
Events that were delivered, or that nobody wanted, are removed after some time by: lectern events deliver`,
		Args: cobra.NoArgs,
		Example: `  lectern events list
  lectern events list --package course-v1:Org+Course+Run --since 24h --limit 100`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if f.Since, err = sinceTime(since); err != nil {
				return err
			}
			if f.Limit < 0 {
				return usage("--limit", "it is negative")
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				list, err := a.Events(cmd.Context(), f)
				if err != nil {
					return err
				}
				d := eventList{make([]eventLine, len(list))}
				for i, e := range list {
					d.Events[i] = newEventLine(e)
				}
				return c.print(d)
			})
		},
	}
	cmd.Flags().StringVar(&f.Package, "package", "", "only of the learning package with this `ref` (a course's key) or row id")
	cmd.Flags().StringVar(&since, "since", "", "only of changes since a `time`, like 2026-06-01T12:00:00Z, or for a duration, like 24h")
	cmd.Flags().IntVar(&f.Limit, "limit", 50, "the newest so `many`; 0 for all")
	return cmd
}

// sinceTime reads a time, or a duration back from now.
func sinceTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return time.Now().Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, usage("--since", "%q is neither a time nor a duration", text).WithNext("write it like 2026-06-01T12:00:00Z, or like 24h")
	}
	return t, nil
}

func (c *cli) eventsShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Print one event as receivers get it",
		Long:    `Show prints one event as webhooks get it: a CloudEvent in JSON, whose data are those of Open edX's event of that type.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern events show 12`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := rowIDs(args)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				doc, err := a.Event(cmd.Context(), ids[0])
				if err != nil {
					return err
				}
				return c.print(shownEvent{doc: doc})
			})
		},
	}
}

func rowIDs(texts []string) ([]int64, error) {
	var ids []int64
	for _, text := range texts {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil || id <= 0 {
			return nil, usage(text, "it is not the number of one")
		}
		ids = append(ids, id)
	}
	return ids, nil
}

func (c *cli) eventsDeliverCommand() *cobra.Command {
	var d events.Deliverer
	var once bool
	cmd := &cobra.Command{
		Use:   "deliver [--once]",
		Short: "Deliver events to the webhooks",
		Long: `Deliver sends events to the webhooks until it is stopped, or with --once what is due now. Events of one learning package
arrive in order, each at least once: a failed one is tried again after a second, then ever later, up to an hour, and those behind it
wait; after the attempts that the webhook is given it becomes a dead letter. Several may run at the same time on one database.
Delivered events are removed when they are older than --keep.`,
		Args: cobra.NoArgs,
		Example: `  lectern events deliver
  lectern events deliver --once`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.Timeout <= 0 || d.Workers <= 0 || d.Poll <= 0 {
				return usage(cmd.CommandPath(), "--timeout, --workers and --poll must be positive")
			}
			if d.Keep == 0 {
				d.Keep = -1
			}
			say := func(format string, args ...any) {
				if !c.global.quiet {
					fmt.Fprintf(c.env.Stderr, format+"\n", args...)
				}
			}
			d.OnError = func(err error) { say("lectern: %s", plain(err.Error())) }
			d.OnResult = func(r events.Result) {
				if r.Err != nil {
					end := "later again"
					if r.Dead {
						end = "given up"
					}
					say("event %d to webhook %d, attempt %d: %s; %s", r.Event.ID, r.Webhook, r.Attempt, plain(r.Err.Error()), end)
				}
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				r, err := a.DeliverEvents(cmd.Context(), d, once)
				if err != nil {
					return err
				}
				return c.print(deliveryReport(r))
			})
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "send what is due now, and end")
	cmd.Flags().DurationVar(&d.Timeout, "timeout", 10*time.Second, "how `long` a receiver may take to answer")
	cmd.Flags().IntVar(&d.Workers, "workers", 4, "`number` of packages whose events are sent to one webhook at the same time")
	cmd.Flags().DurationVar(&d.Poll, "poll", time.Second, "how `long` to wait between looks for new events")
	cmd.Flags().DurationVar(&d.Keep, "keep", events.DefaultKeep, "how `long` delivered events are kept; 0 for ever")
	return cmd
}
