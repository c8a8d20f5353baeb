package authzapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of what a request may send.
const (
	MaxBody  = 2_621_440 // bytes of a body: more is 413. It is what Django takes by default
	MaxPairs = 10_000    // users times scopes of one PUT: more is 400
	maxText  = 255       // characters of a text (authz.md §12)
)

// readBody reads the JSON body of a request, once. An empty one is an empty object, as the reference has it.
func (c *call) readBody() (any, error) {
	if c.read {
		return c.body, c.bodyErr
	}
	c.read = true
	c.body, c.bodyErr = decodeBody(c.w, c.r)
	return c.body, c.bodyErr
}

func decodeBody(w http.ResponseWriter, r *http.Request) (any, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	if err != nil {
		if big := (*http.MaxBytesError)(nil); errors.As(err, &big) {
			return nil, errTooLarge
		}
		return nil, &problem{status: http.StatusBadRequest, body: detail{"The body could not be read."}, cause: err}
	}
	if len(raw) == 0 {
		return map[string]any{}, nil
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			return nil, &problem{status: http.StatusUnsupportedMediaType, body: detail{fmt.Sprintf("Unsupported media type %q in request.", kind)}}
		}
	}
	return parseJSON(raw)
}

// parseJSON reads one JSON document. Numbers stay as they are written.
func parseJSON(raw []byte) (any, error) {
	malformed := func(format string, args ...any) error {
		return &problem{status: http.StatusBadRequest, body: detail{"JSON parse error - " + fmt.Sprintf(format, args...)}}
	}
	if !utf8.Valid(raw) {
		return nil, malformed("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return nil, malformed("%s at byte %d", syntax.Error(), syntax.Offset)
		}
		return nil, malformed("the document ends early")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, malformed("something follows the document")
	}
	return v, nil
}

// Messages about values.
const (
	isRequired = "This field is required."
	isNull     = "This field may not be null."
	isBlank    = "This field may not be blank."
	isNotText  = "This is not a text."
	isNUL      = "The character NUL is not allowed."
	isNotList  = "A list is expected here."
	isEmpty    = "The list may not be empty."
	isNotMap   = "An object is expected here."
)

var isTooLong = "At most " + strconv.Itoa(maxText) + " characters are allowed."

// readText reads a text of 1 to 255 characters. A number counts as what Python prints for it, blanks around are dropped.
// The second result is what is wrong.
func readText(v any) (text, wrong string) {
	switch v := v.(type) {
	case nil:
		return "", isNull
	case string:
		text = v
	case json.Number:
		text = printNumber(string(v))
	default:
		return "", isNotText
	}
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", isBlank
	case strings.ContainsRune(text, 0):
		return "", isNUL
	case len(text) > maxText && utf8.RuneCountInString(text) > maxText:
		return "", isTooLong
	}
	return text, ""
}

// readTexts reads a list of texts. What is wrong with items is a map by their position (authz.md §11).
func readTexts(v any) (list []string, wrong any) {
	items, ok := v.([]any)
	switch {
	case v == nil:
		return nil, []string{isNull}
	case !ok:
		return nil, []string{isNotList}
	}
	faults := map[string][]string{}
	list = make([]string, len(items))
	for i, item := range items {
		text, wrong := readText(item)
		if wrong != "" {
			faults[strconv.Itoa(i)] = []string{wrong}
		}
		list[i] = text
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return list, nil
}

// printNumber returns what Python prints for a JSON number: whole numbers with all digits, others in the shortest form that
// reads back, without an exponent from 1e-4 to below 1e16.
func printNumber(s string) string {
	if len(s) > 2*maxText {
		return s // too long whatever it prints as
	}
	if !strings.ContainsAny(s, ".eE") {
		if n, ok := new(big.Int).SetString(s, 10); ok {
			return n.String()
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !isRange(err) {
		return s
	}
	switch a := math.Abs(f); {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case a != 0 && (a < 1e-4 || a >= 1e16):
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	text := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// dedup returns the list with each text once, in the order they came.
func dedup(list []string) []string {
	seen := make(map[string]bool, len(list))
	out := list[:0:0]
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
