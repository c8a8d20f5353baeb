package app

import (
	"bytes"
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/openlectern/lectern/content/events"
	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// EventFilter narrows [App.Events].
type EventFilter struct {
	Package string    // ref of a learning package, or its row id, which also finds one that is gone; "" means all
	Since   time.Time // only events of changes made at this time or later
	Limit   int       // the newest so many; 0 means all
}

// Events lists events as they are stored, without their data, the newest last.
func (a *App) Events(ctx context.Context, f EventFilter) (list []outbox.Event, err error) {
	if err := a.may(ctx, "Events"); err != nil {
		return list, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		id, err := packageID(ctx, tx, f.Package)
		if err != nil {
			return err
		}
		list, err = outbox.List(ctx, tx, outbox.Filter{Package: id, Since: f.Since, Limit: f.Limit})
		return err
	})
	return list, err
}

// Event returns the document of one event as receivers get it.
func (a *App) Event(ctx context.Context, id int64) (doc []byte, err error) {
	if err := a.may(ctx, "Event"); err != nil {
		return doc, err
	}
	err = a.View(ctx, func(tx *db.Tx) error {
		e, found, err := outbox.Get(ctx, tx, id)
		if err != nil {
			return err
		}
		if !found {
			return fault.Errorf(fault.NotFound, "event "+strconv.FormatInt(id, 10), "there is no such event, or not any more").
				WithNext("list them with: lectern events list")
		}
		var b bytes.Buffer
		err = events.Write(ctx, tx, &e, &b)
		doc = b.Bytes()
		return err
	})
	return doc, err
}

// packageID returns the id of a package given by ref, or by number; 0 for "".
func packageID(ctx context.Context, q db.Querier, ref string) (int64, error) {
	if ref == "" {
		return 0, nil
	}
	p, err := publishing.PackageByRef(ctx, q, ref)
	if err == nil {
		return int64(p.ID), nil
	}
	if id, perr := strconv.ParseInt(ref, 10, 64); perr == nil && id > 0 && fault.Is(err, fault.NotFound) {
		return id, nil
	}
	return 0, err
}

// NewWebhook describes a webhook to add. Attempts is the number of tries before an event is given up, 0 never.
type NewWebhook struct {
	URL, Secret string
	Types       []string // with or without the prefix of Open edX's types; none means all
	Package     string   // ref of a learning package, or its row id; "" means all
	Attempts    int
}

// AddWebhook stores a webhook, which gets the events of all later changes. What is no address over HTTP is Usage.
func (a *App) AddWebhook(ctx context.Context, n NewWebhook) (w outbox.Webhook, err error) {
	if err := a.may(ctx, "AddWebhook"); err != nil {
		return w, err
	}
	u, err := url.Parse(n.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return w, fault.Errorf(fault.Usage, "URL", "it is no address that begins with https:// or http://")
	}
	if n.Attempts < 0 {
		return w, fault.Errorf(fault.Usage, "--attempts", "it is negative")
	}
	w = outbox.Webhook{URL: n.URL, Secret: n.Secret, Active: true, Attempts: n.Attempts}
	for _, t := range n.Types {
		if w.Types = append(w.Types, eventType(t)); w.Types[len(w.Types)-1] == "" {
			return w, fault.Errorf(fault.Usage, "--type", "%q is no type of event", t).WithNext("types: " + typeNames())
		}
	}
	if !a.dryRun { // so that the transaction below is short
		if err := outbox.RouteAll(ctx, a.DB); err != nil {
			return w, err
		}
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if w.Package, err = packageID(ctx, tx, n.Package); err != nil {
			return err
		}
		if w.ID, err = outbox.AddWebhook(ctx, tx, w); err != nil {
			return err
		}
		w, err = outbox.WebhookByID(ctx, tx, w.ID)
		return err
	})
	return w, err
}

// eventType returns the type that a person names, "" for none.
func eventType(name string) outbox.Type {
	for _, t := range outbox.Types {
		if name == string(t) || name == outbox.Prefix+string(t) {
			return t
		}
	}
	return ""
}

func typeNames() string {
	var b bytes.Buffer
	for i, t := range outbox.Types {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(t))
	}
	return b.String()
}

// Webhooks lists the webhooks with how much waits for each.
func (a *App) Webhooks(ctx context.Context) (list []outbox.Webhook, waiting map[int64]outbox.Waiting, err error) {
	if err := a.may(ctx, "Webhooks"); err != nil {
		return list, waiting, err
	}
	err = a.View(ctx, func(tx *db.Tx) (err error) {
		if list, err = outbox.Webhooks(ctx, tx); err != nil {
			return err
		}
		waiting, err = outbox.Queue(ctx, tx)
		return err
	})
	return list, waiting, err
}

// RemoveWebhook removes a webhook and all that waited for it.
func (a *App) RemoveWebhook(ctx context.Context, id int64) error {
	if err := a.may(ctx, "RemoveWebhook"); err != nil {
		return err
	}
	return a.Update(ctx, func(tx *db.Tx) error { return outbox.RemoveWebhook(ctx, tx, id) })
}

// ActivateWebhook stops a webhook, or lets it have the events of later changes again.
func (a *App) ActivateWebhook(ctx context.Context, id int64, active bool) (w outbox.Webhook, err error) {
	if err := a.may(ctx, "ActivateWebhook"); err != nil {
		return w, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		if err := outbox.Activate(ctx, tx, id, active); err != nil {
			return err
		}
		w, err = outbox.WebhookByID(ctx, tx, id)
		return err
	})
	return w, err
}

// PingWebhook sends a webhook an event of its own kind, once.
func (a *App) PingWebhook(ctx context.Context, id int64, timeout time.Duration) (events.Result, error) {
	if err := a.may(ctx, "PingWebhook"); err != nil {
		return events.Result{}, err
	}
	w, err := outbox.WebhookByID(ctx, a.DB, id)
	if err != nil {
		return events.Result{}, err
	}
	d := events.Deliverer{DB: a.DB, Timeout: timeout}
	return d.Ping(ctx, w), nil
}

// DeadLetters lists the deliveries that were given up.
func (a *App) DeadLetters(ctx context.Context) ([]outbox.Dead, error) {
	if err := a.may(ctx, "DeadLetters"); err != nil {
		return nil, err
	}
	return outbox.DeadLetters(ctx, a.DB)
}

// ReviveDeadLetters makes given deliveries due again, all for nil, and returns how many there were.
func (a *App) ReviveDeadLetters(ctx context.Context, ids []int64) (n int64, err error) {
	if err := a.may(ctx, "ReviveDeadLetters"); err != nil {
		return n, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		n, err = outbox.Revive(ctx, tx, ids)
		return err
	})
	return n, err
}

// DropDeadLetters removes given deliveries for good, all for nil, and returns how many there were.
func (a *App) DropDeadLetters(ctx context.Context, ids []int64) (n int64, err error) {
	if err := a.may(ctx, "DropDeadLetters"); err != nil {
		return n, err
	}
	err = a.Update(ctx, func(tx *db.Tx) (err error) {
		n, err = outbox.Drop(ctx, tx, ids)
		return err
	})
	return n, err
}

// DeliverEvents sends events to the webhooks: with once what is due now, else until ctx ends. A dry run sends nothing.
func (a *App) DeliverEvents(ctx context.Context, d events.Deliverer, once bool) (events.Report, error) {
	if err := a.may(ctx, "DeliverEvents"); err != nil {
		return events.Report{}, err
	}
	d.DB = a.DB
	switch {
	case a.dryRun:
		return events.Report{}, nil
	case once:
		return d.Once(ctx)
	}
	return d.Run(ctx), nil
}
