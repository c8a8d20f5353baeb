package events

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/openlectern/lectern/content/outbox"
	"github.com/openlectern/lectern/content/publishing"
	"github.com/openlectern/lectern/db"
)

// head is a CloudEvent (version 1.0, structured mode) without its data, which comes last.
type head struct {
	Spec      string `json:"specversion"`
	ID        string `json:"id"`
	Source    string `json:"source"`
	Type      string `json:"type"`
	Time      string `json:"time"`
	Content   string `json:"datacontenttype"`
	Partition string `json:"partitionkey"` // events with the same are in order
	Sequence  string `json:"sequence"`     // greater, as text, than that of every earlier one with the same partitionkey
}

// The data of the types of event, field by field (content-model.md §19). What is written as it streams comes last.
type (
	learningPackage struct {
		ID    int64  `json:"id"`
		Title string `json:"title"`
	}
	attribution struct {
		User *int64 `json:"user_id"`
	}
	packageData struct {
		Package learningPackage `json:"learning_package"`
	}
	changedData struct {
		packageData
		By attribution `json:"changed_by"`
	}
)

// timeForm is RFC 3339 with microseconds, as the database has them.
const timeForm = "2006-01-02T15:04:05.000000Z"

func headOf(e *outbox.Event) head {
	return head{
		Spec: "1.0", ID: e.UUID.String(), Source: "/lectern/learning-packages/" + strconv.FormatInt(e.Package, 10),
		Type: outbox.Prefix + string(e.Type), Time: e.At.UTC().Format(timeForm), Content: "application/json",
		Partition: strconv.FormatInt(e.Package, 10), Sequence: fmt.Sprintf("%020d", e.ID),
	}
}

// Write writes an event, read with its data, as one JSON document. The changes of a log are read and written a page at a
// time; q should show one state while they are, as a log may be deleted. Of a log that is gone nothing can be told but
// that: the changes are empty then, and change_log has a further field "gone".
func Write(ctx context.Context, q db.Querier, e *outbox.Event, w io.Writer) error {
	out := &writer{w: w}
	out.open(headOf(e))
	out.text(`,"data":`)
	about := packageData{learningPackage{e.Package, e.Title}}
	who := changedData{packageData: about}
	if e.By != 0 {
		who.By.User = &e.By
	}
	switch e.Type {
	case outbox.DraftsChanged, outbox.Published:
		out.open(who)
		id := `draft_change_log_id`
		if e.Type == outbox.Published {
			id = `publish_log_id`
		}
		out.text(`,"change_log":{"` + id + `":` + strconv.FormatInt(e.Log, 10) + `,"changes":`)
		switch {
		case e.Data != "":
			out.text(e.Data)
		case out.err == nil:
			found, err := publishing.WriteChanges(ctx, q, e.Type == outbox.Published, e.Log, w)
			if out.err = err; !found {
				out.text(`,"gone":true`)
			}
		}
		out.text(`}}}`)
	case outbox.CollectionChanged:
		out.open(who)
		out.text(`,"change":` + e.Data + `}}`)
	default:
		out.open(about)
		out.text(`}}`)
	}
	return out.err
}

// writer writes JSON in pieces and keeps the first error.
type writer struct {
	w   io.Writer
	err error
}

func (o *writer) text(s string) {
	if o.err == nil {
		_, o.err = io.WriteString(o.w, s)
	}
}

// open writes an object without its end.
func (o *writer) open(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		o.err = err
		return
	}
	o.text(string(b[:len(b)-1]))
}

// pingHead is the event that a webhook is tried with.
func pingHead(id string, now time.Time) head {
	return head{Spec: "1.0", ID: id, Source: "/lectern", Type: PingType, Time: now.UTC().Format(timeForm),
		Content: "application/json", Partition: "0", Sequence: fmt.Sprintf("%020d", 0)}
}

// PingType is the type of the event that [Deliverer.Ping] sends.
const PingType = "org.openlectern.ping.v1"
