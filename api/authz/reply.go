package authzapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// detail is the body of an error that is not about a field.
type detail struct {
	Detail string `json:"detail"`
}

// message is the body of an error in the two endpoints that write it so (authz.md §12.1, §12.9).
type message struct {
	Message string `json:"message"`
}

// problem is an answer that is not the one asked for.
type problem struct {
	status int
	body   any
	cause  error // what to log, may be nil
}

func (p *problem) Error() string { return "answered with " + strconv.Itoa(p.status) }

func (p *problem) Unwrap() error { return p.cause }

// The answers that say the same everywhere (authz.md §11).
var (
	errAnonymous = &problem{status: http.StatusUnauthorized, body: detail{"Authentication credentials were not provided."}}
	errDenied    = &problem{status: http.StatusForbidden, body: detail{"You do not have permission to perform this action."}}
	errTooLarge  = &problem{status: http.StatusRequestEntityTooLarge, body: detail{"The body is larger than " + strconv.Itoa(MaxBody) + " bytes."}}
)

// nonField is the name under which a 400 answer says what is about no field, or about several.
const nonField = "non_field_errors"

// faults are the messages of a 400 answer by field.
type faults map[string]any

// add adds a message about a field.
func (f faults) add(field, text string) {
	list, _ := f[field].([]string)
	f[field] = append(list, text)
}

// err returns the 400 answer, nil without messages.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &problem{status: http.StatusBadRequest, body: f}
}

// invalid is a 400 answer with one message.
func invalid(field, text string) error {
	return &problem{status: http.StatusBadRequest, body: faults{field: []string{text}}}
}

// reply writes a JSON answer.
func reply(w http.ResponseWriter, status int, body any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(b.Len()-1))
	w.WriteHeader(status)
	_, err := w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	return err
}

func isRange(err error) bool { return errors.Is(err, strconv.ErrRange) }
