package bson

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends a value as the JSON text of a courseware.Value: numbers as Python writes them, moments and ObjectIds
// as text, binary data in base 64. Of equal keys the last counts. clean is false where a text was not UTF-8 or held NUL;
// broken bytes become U+FFFD (modulestore.md A15).
func AppendJSON(dst []byte, v Value) (out []byte, clean bool) {
	w := writer{out: dst, clean: true}
	w.value(v)
	return w.out, w.clean
}

type writer struct {
	out   []byte
	clean bool
}

func (w *writer) add(s string) { w.out = append(w.out, s...) }

func (w *writer) value(v Value) {
	switch v.Type {
	case Double:
		w.float(v.float())
	case String, Symbol:
		text, _ := v.Text()
		w.text(text)
	case Code:
		w.text(v.raw[4 : len(v.raw)-1])
	case ScopedCode:
		n := binary.LittleEndian.Uint32(v.raw[4:])
		w.text(v.raw[8 : 7+n])
	case Document:
		w.object(Doc(v.raw))
	case Array:
		w.add("[")
		first := true
		for _, item := range Doc(v.raw).All() {
			if !first {
				w.add(", ")
			}
			first = false
			w.value(item)
		}
		w.add("]")
	case Binary:
		data, _ := v.Bytes()
		w.text([]byte(base64.StdEncoding.EncodeToString(data)))
	case ObjectID:
		w.text([]byte(hex.EncodeToString(v.raw)))
	case DBPointer:
		w.text([]byte(hex.EncodeToString(v.raw[len(v.raw)-12:])))
	case Boolean:
		w.add(strconv.FormatBool(v.raw[0] != 0))
	case DateTime:
		t, _ := v.Time()
		w.text([]byte(FormatTime(t)))
	case Regex:
		pattern, _, _ := strings.Cut(string(v.raw), "\x00")
		w.text([]byte(pattern))
	case Int32, Int64:
		n, _ := v.Int()
		w.out = strconv.AppendInt(w.out, n, 10)
	case Timestamp:
		w.out = strconv.AppendUint(w.out, binary.LittleEndian.Uint64(v.raw), 10)
	case Decimal:
		w.decimal(v.raw)
	default:
		w.add("null")
	}
}

func (w *writer) object(d Doc) {
	w.add("{")
	first := true
	for key, v := range d.All() {
		if later(d, key, v) {
			continue
		}
		if !first {
			w.add(", ")
		}
		first = false
		w.text(key)
		w.add(": ")
		w.value(v)
	}
	w.add("}")
}

// later reports whether the key comes again after this value. Documents of many keys are not looked through: that would
// take time by the square, and equal keys are a curiosity.
func later(d Doc, key []byte, v Value) bool {
	seen, n := false, 0
	for k, o := range d.All() {
		if n++; n > 64 {
			return false
		}
		if string(k) != string(key) {
			continue
		}
		if seen {
			return true
		}
		seen = len(o.raw) == len(v.raw) && (len(v.raw) == 0 || &o.raw[0] == &v.raw[0])
	}
	return false
}

// FormatTime writes a moment as the stores' JSON forms do, with a fraction only where there is one, and years before 1900
// with their zone in digits (modulestore.md §1.4).
func FormatTime(t time.Time) string {
	layout := "2006-01-02T15:04:05.999Z"
	if t.Year() < 1900 {
		layout = "2006-01-02T15:04:05.999+00:00"
	}
	return t.UTC().Format(layout)
}

// float writes a number as Python does: with a fraction or an exponent, so that it stays a float.
func (w *writer) float(f float64) {
	switch {
	case math.IsNaN(f):
		w.add("NaN")
		return
	case math.IsInf(f, 1):
		w.add("Infinity")
		return
	case math.IsInf(f, -1):
		w.add("-Infinity")
		return
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= 1e16) {
		w.out = strconv.AppendFloat(w.out, f, 'e', -1, 64)
		return
	}
	from := len(w.out)
	w.out = strconv.AppendFloat(w.out, f, 'f', -1, 64)
	if !strings.Contains(string(w.out[from:]), ".") {
		w.add(".0")
	}
}

// decimal writes a number of 34 digits, whose coefficient is an integer of 113 bits (the form servers store).
func (w *writer) decimal(raw []byte) {
	low, high := binary.LittleEndian.Uint64(raw), binary.LittleEndian.Uint64(raw[8:])
	sign := ""
	if high>>63 == 1 {
		sign = "-"
	}
	switch high >> 58 & 0x1F {
	case 0x1F:
		w.add("NaN")
		return
	case 0x1E:
		w.add(sign + "Infinity")
		return
	}
	coefficient, exponent := new(big.Int), int(high>>49&0x3FFF)
	if high>>61&3 == 3 { // a coefficient beyond 34 digits, which counts as zero
		exponent = int(high >> 47 & 0x3FFF)
	} else {
		coefficient.SetUint64(high&(1<<49-1)).Lsh(coefficient, 64).Or(coefficient, new(big.Int).SetUint64(low))
	}
	w.add(sign + coefficient.String())
	if e := exponent - 6176; e != 0 {
		w.add("e" + strconv.Itoa(e))
	}
}

const hexDigits = "0123456789abcdef"

// escapes are the short escapes of control characters.
var escapes = [' ']byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func (w *writer) text(s []byte) {
	w.out = append(w.out, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			w.out = append(w.out, s[from:i]...)
			switch {
			case c == '"' || c == '\\':
				w.out = append(w.out, '\\', c)
			case escapes[c] != 0:
				w.out = append(w.out, '\\', escapes[c])
			default:
				w.clean = w.clean && c != 0
				w.out = append(w.out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			}
			i++
			from = i
			continue
		}
		r, n := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			w.clean = false
			w.out = append(append(w.out, s[from:i]...), "\uFFFD"...)
			from = i + n
		case r == '\u2028' || r == '\u2029': // escaped by the forms that courseware compares with
			w.out = append(append(w.out, s[from:i]...), `\u202`...)
			w.out = append(w.out, hexDigits[r&15])
			from = i + n
		}
		i += n
	}
	w.out = append(append(w.out, s[from:]...), '"')
}
