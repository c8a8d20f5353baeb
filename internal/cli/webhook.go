package cli

import (
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/fault"
)

// webhook is the document of one webhook. Its secret is never shown.
type webhook struct {
	ID       int64    `json:"id"`
	URL      string   `json:"url"`
	Signed   bool     `json:"signed"`
	Types    []string `json:"types"`            // empty means all
	Package  *int64   `json:"learning_package"` // null means all
	Active   bool     `json:"active"`
	Attempts int      `json:"attempts"` // 0 means without end
	Created  stamp    `json:"created"`
}

func newWebhook(w outbox.Webhook) webhook {
	shown := w.URL
	if u, err := url.Parse(w.URL); err == nil {
		shown = u.Redacted()
	}
	d := webhook{w.ID, shown, w.Secret != "", []string{}, orNull(w.Package), w.Active, w.Attempts, stamp(w.Created)}
	for _, t := range w.Types {
		d.Types = append(d.Types, outbox.Prefix+string(t))
	}
	return d
}

func (d webhook) text(w *textWriter) {
	state := "active"
	if !d.Active {
		state = "paused"
	}
	w.line("webhook %d to %s is %s", d.ID, plain(d.URL), state)
}

// webhookList is the document of all webhooks.
type webhookList struct {
	Webhooks []listedWebhook `json:"webhooks"`
}

type listedWebhook struct {
	webhook
	Pending int64 `json:"pending"`
	Dead    int64 `json:"dead"`
}

func (d webhookList) text(w *textWriter) {
	if len(d.Webhooks) == 0 {
		w.line("no webhooks; add one with: lectern webhook add URL")
		return
	}
	w.row("WEBHOOK", "URL", "STATE", "PACKAGE", "TYPES", "WAITING", "DEAD")
	for _, h := range d.Webhooks {
		state, pkg, types := "active", any("all"), "all"
		if !h.Active {
			state = "paused"
		}
		if h.Package != nil {
			pkg = *h.Package
		}
		if len(h.Types) > 0 {
			types = strings.ReplaceAll(strings.Join(h.Types, " "), outbox.Prefix, "")
		}
		w.row(h.ID, h.URL, state, pkg, types, h.Pending, h.Dead)
	}
}

// removedWebhook is the document of a webhook that is gone.
type removedWebhook struct {
	Removed int64 `json:"removed"`
}

func (d removedWebhook) text(w *textWriter) { w.line("webhook %d is removed", d.Removed) }

// tried is the document of a webhook's test.
type tried struct {
	Webhook int64   `json:"webhook"`
	Status  int     `json:"status"` // of HTTP
	Millis  float64 `json:"milliseconds"`
}

func (d tried) text(w *textWriter) {
	w.line("webhook %d answered %d after %.0f ms", d.Webhook, d.Status, d.Millis)
}

func (c *cli) webhookCommand() *cobra.Command {
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks and how much waits for each",
		Args:    cobra.NoArgs,
		Example: `  lectern webhook list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				all, waiting, err := a.Webhooks(cmd.Context())
				if err != nil {
					return err
				}
				d := webhookList{make([]listedWebhook, len(all))}
				for i, w := range all {
					d.Webhooks[i] = listedWebhook{newWebhook(w), waiting[w.ID].Pending, waiting[w.ID].Dead}
				}
				return c.print(d)
			})
		},
	}
	remove := c.onWebhook("remove", "Remove a webhook", `Remove removes a webhook and all that waited for it, dead letters included.`, writing,
		func(cmd *cobra.Command, a *app.App, id int64) (document, error) {
			return removedWebhook{id}, a.RemoveWebhook(cmd.Context(), id)
		})
	pause := c.onWebhook("pause", "Stop a webhook", `Pause stops a webhook: what waits for it is kept, and events of changes made until it is resumed never reach it.`, writing,
		activate(false))
	resume := c.onWebhook("resume", "Let a webhook have events again", `Resume lets a paused webhook have events again: what waited, and those of changes made from now on.`, writing,
		activate(true))
	var timeout time.Duration
	test := c.onWebhook("test", "Send a webhook a test event",
		`Test sends a webhook an event of type `+events.PingType+` now, once, and fails if it is not taken.`, reading,
		func(cmd *cobra.Command, a *app.App, id int64) (document, error) {
			r, err := a.PingWebhook(cmd.Context(), id, timeout)
			if err == nil && r.Err != nil {
				err = fault.Errorf(fault.Unavailable, "webhook", "%w", r.Err).WithNext("look at the receiver, then try again")
			}
			return tried{r.Webhook, r.Status, float64(r.Took.Microseconds()) / 1000}, err
		})
	test.Flags().DurationVar(&timeout, "timeout", 10*time.Second, "how `long` the receiver may take to answer")
	return c.family("webhook", "Say who is told of events by HTTP", verb{c.webhookAddCommand(), webhook{}}, verb{list, webhookList{}},
		verb{pause, webhook{}}, verb{resume, webhook{}}, verb{remove, removedWebhook{}}, verb{test, tried{}})
}

func activate(on bool) func(*cobra.Command, *app.App, int64) (document, error) {
	return func(cmd *cobra.Command, a *app.App, id int64) (document, error) {
		w, err := a.ActivateWebhook(cmd.Context(), id, on)
		return newWebhook(w), err
	}
}

// onWebhook makes a command that does something with one webhook.
func (c *cli) onWebhook(name, short, long string, use use, do func(*cobra.Command, *app.App, int64) (document, error)) *cobra.Command {
	return &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Long:    long,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern webhook ` + name + ` 1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := rowIDs(args)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), use, func(a *app.App) error {
				d, err := do(cmd, a, ids[0])
				if err != nil {
					return err
				}
				return c.print(d)
			})
		},
	}
}

func (c *cli) webhookAddCommand() *cobra.Command {
	var n app.NewWebhook
	var secret string
	cmd := &cobra.Command{
		Use:   "add URL",
		Short: "Add a webhook",
		Long: `Add stores an address to which the events of all later changes are sent by: lectern events deliver
Each is an HTTP POST of a CloudEvent in JSON. With a secret it is signed; the secret is stored in the database.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern webhook add https://example.org/hook --secret-file hook.secret
  lectern webhook add https://example.org/hook --type publishing.entities_published.v1 --package course-v1:Org+Course+Run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.URL = args[0]
			if secret != "" {
				b, err := os.ReadFile(secret)
				if err != nil {
					return fault.Errorf(fault.Usage, "--secret-file", "%w", err)
				}
				if n.Secret = strings.TrimSpace(string(b)); n.Secret == "" {
					return usage("--secret-file", "the file is empty")
				}
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				w, err := a.AddWebhook(cmd.Context(), n)
				if err != nil {
					return err
				}
				return c.print(newWebhook(w))
			})
		},
	}
	cmd.Flags().StringSliceVar(&n.Types, "type", nil, "only events of this `type`, such as publishing.entities_published.v1; may be repeated")
	cmd.Flags().StringVar(&n.Package, "package", "", "only events of the learning package with this `ref` (a course's key) or row id")
	cmd.Flags().StringVar(&secret, "secret-file", "", "`file` with the secret that signs what is sent; blanks around it do not count")
	cmd.Flags().IntVar(&n.Attempts, "attempts", events.DefaultAttempts, "`number` of attempts before an event is given up; 0 for no end, then later events of its package wait")
	return cmd
}
