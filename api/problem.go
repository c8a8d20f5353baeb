package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/openlectern/lectern/fault"
)

// Problem is an answer that is an error, in the shapes that the stock clients know (libraries-api.md §1.4): {"detail": …},
// or, when Fields are set, each field with its messages. It is an error, so handlers of typed operations can return it.
type Problem struct {
	Status int
	Detail string
	Next   string              // what to do about it, may be empty
	Code   string              // for programs, of refusals that they are to know; mostly empty
	Course string              // that the refusal is about, with Code
	Fields map[string][]string // messages by field; non_field_errors for those of none
	Plain  bool                // {"error": Detail}, as some addresses of Open edX have it
}

// Problemf makes a problem with a detail.
func Problemf(status int, format string, args ...any) *Problem {
	return &Problem{Status: status, Detail: fmt.Sprintf(format, args...)}
}

func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the status; huma asks for it.
func (p *Problem) GetStatus() int { return p.Status }

// MarshalJSON writes the body.
func (p *Problem) MarshalJSON() ([]byte, error) {
	if len(p.Fields) > 0 {
		return encode(p.Fields)
	}
	if p.Plain {
		return encode(struct {
			Error string `json:"error"`
		}{p.Detail})
	}
	return encode(problemBody{Detail: p.Detail, Next: p.Next, Code: p.Code, Course: p.Course})
}

// problemBody is the JSON of a problem with a detail.
type problemBody struct {
	Detail string `json:"detail"`
	Next   string `json:"next,omitempty"`
	Code   string `json:"code,omitempty"`
	Course string `json:"course,omitempty"`
}

// Schema describes the body; huma asks for it.
func (*Problem) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject,
		Description: "Either `detail` (with `next`, the step to take, where there is one, and with `code` and `course` where a course of the old store is refused: `old_mongo`), or each field with its messages; " +
			"`non_field_errors` holds those of no field.",
		Properties: map[string]*huma.Schema{
			"error":  {OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}}}},
			"detail": {Type: huma.TypeString}, "next": {Type: huma.TypeString}, "code": {Type: huma.TypeString}, "course": {Type: huma.TypeString},
		},
		AdditionalProperties: &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}},
	}
}

// The errors that huma makes by itself (a parameter that does not parse, a field too long) get our shape by the one hook
// it has for that, a variable of its package.
func init() {
	huma.NewError = func(status int, text string, errs ...error) huma.StatusError {
		p := &Problem{Status: status, Detail: text}
		if status == http.StatusUnprocessableEntity {
			p.Status = http.StatusBadRequest // as Django REST framework answers
		}
		for _, err := range errs {
			var d huma.ErrorDetailer
			if !errors.As(err, &d) {
				continue
			}
			detail := d.ErrorDetail()
			if p.Fields == nil {
				p.Fields = map[string][]string{}
			}
			name := field(detail.Location)
			p.Fields[name] = append(p.Fields[name], detail.Message)
		}
		return p
	}
}

// field makes of huma's location (body.users[0], query.page) the name of a field.
func field(location string) string {
	_, name, ok := strings.Cut(location, ".")
	if !ok || name == "" {
		return "non_field_errors"
	}
	return name
}

// statuses is the table from kinds of fault to statuses of HTTP.
var statuses = map[fault.Kind]int{
	fault.Internal:    http.StatusInternalServerError,
	fault.Usage:       http.StatusBadRequest,
	fault.Invalid:     http.StatusBadRequest,
	fault.NotFound:    http.StatusNotFound,
	fault.Unavailable: http.StatusServiceUnavailable,
	fault.Conflict:    http.StatusConflict,
	fault.Refused:     http.StatusConflict,
	fault.Denied:      http.StatusForbidden,
	fault.Interrupted: http.StatusServiceUnavailable,
	fault.OldMongo:    http.StatusConflict,
}

// problem makes of any error what may be told of it. Texts of causes that are not meant for users stay inside.
func problem(err error) *Problem {
	var p *Problem
	var f *fault.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return Problemf(http.StatusRequestTimeout, "The request did not arrive in time.")
	case errors.Is(err, context.DeadlineExceeded):
		return Problemf(http.StatusServiceUnavailable, "It took too long.")
	case !errors.As(err, &f) || f.Kind == fault.Internal:
		return Problemf(statuses[fault.KindOf(err)], "%s", http.StatusText(statuses[fault.KindOf(err)]))
	case f.Kind == fault.Unavailable:
		return Problemf(http.StatusServiceUnavailable, "The database or a disk cannot be used now.")
	}
	p = &Problem{Status: statuses[f.Kind], Detail: f.Error(), Next: f.Next}
	if f.Kind == fault.OldMongo {
		p.Code, p.Course = f.Kind.Code(), f.Thing
	}
	return p
}

func tooLarge(limit int64) *Problem {
	return Problemf(http.StatusRequestEntityTooLarge, "The request body is larger than %d bytes.", limit)
}

// WriteError answers with an error: a [Problem] as it is, a fault by its kind. What is not the sender's fault is logged
// with its cause.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	p := report(r.Context(), err)
	if p.Status == http.StatusRequestEntityTooLarge || p.Status == http.StatusRequestTimeout {
		w.Header().Set("Connection", "close") // the rest of the body is not read
	}
	WriteJSON(w, r, p.Status, p)
}

// report logs what has to be looked at, and returns what may be told.
func report(ctx context.Context, err error) *Problem {
	p := problem(err)
	if p.Status >= http.StatusInternalServerError && !errors.As(err, new(*Problem)) {
		i := from(ctx)
		i.log.LogAttrs(ctx, slog.LevelError, "failed", slog.String(keyID, i.id), slog.String(keyRoute, i.route), slog.String(keyError, err.Error()))
	}
	return p
}

// WriteJSON answers with a document. What cannot be written, as the client has gone, is dropped.
func WriteJSON(w http.ResponseWriter, r *http.Request, status int, v any) {
	body, err := encode(v)
	if err != nil {
		panic(fmt.Errorf("encode an answer: %w", err)) // an unmarshalable type: a fault of this program
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// encode is JSON as it goes out: without escapes for HTML, as no answer is ever HTML.
func encode(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}

// ReadJSON reads the body into v. A body that is no JSON, or of another type than v, is a [Problem] 400, one over the
// route's limit 413, one that does not arrive in time 408, one of another media type 415.
func ReadJSON(r *http.Request, v any) error {
	if ct := r.Header.Get("Content-Type"); ct != "" && !isJSON(ct) {
		return Problemf(http.StatusUnsupportedMediaType, "Unsupported media type %q in request.", cut(ct, 100))
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return readError(err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return Problemf(http.StatusBadRequest, "JSON parse error - %s", err)
	}
	return nil
}

// readError makes a problem of what went wrong when a body was read: the client's fault in every case.
func readError(err error) error {
	if p := problem(err); p.Status < http.StatusInternalServerError {
		return p
	}
	return Problemf(http.StatusBadRequest, "The request body ended early.")
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasSuffix(media, "+json")
}

// cut shortens text that came from outside, before it goes into an answer or a log.
func cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
