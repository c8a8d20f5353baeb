package takeover

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openlectern/lectern/schema"
)

// appendValue appends a value in the one form that it has on every engine: how long its text is, then the text; NULL is
// nothing of no length. A value that its column's kind does not allow counts as the text that it is.
func appendValue(b []byte, k schema.Kind, v any) []byte {
	if v == nil {
		return append(b, '-', ';')
	}
	text := plainText(v)
	switch k {
	case schema.Bool:
		text = strings.NewReplacer("true", "1", "false", "0").Replace(text)
	case schema.UUID:
		if raw, ok := v.([]byte); ok && len(raw) == 16 {
			text = hex.EncodeToString(raw) // the bytes themselves
		}
		text = strings.ToLower(strings.ReplaceAll(text, "-", ""))
	case schema.Time:
		if at, ok := moment(v); ok {
			text = at.UTC().Format("2006-01-02T15:04:05.000000Z")
		}
	}
	b = append(strconv.AppendInt(b, int64(len(text)), 10), ':')
	return append(append(b, text...), ';')
}

// plainText returns a value as text.
func plainText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case []byte:
		return string(x)
	case int64:
		return strconv.FormatInt(x, 10)
	}
	return fmt.Sprint(v)
}

// moment reads a time, which SQLite keeps as text.
func moment(v any) (time.Time, bool) {
	switch x := v.(type) {
	case time.Time:
		return x, true
	case string:
		for _, layout := range []string{"2006-01-02 15:04:05.999999", "2006-01-02 15:04:05.999999-07:00", "2006-01-02T15:04:05.999999Z07:00"} {
			if at, err := time.Parse(layout, x); err == nil {
				return at, true
			}
		}
	}
	return time.Time{}, false
}
