package keys

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// ErrInvalid is what every error of this package is, in the sense of [errors.Is]: a text that is no key of the kind
// asked for, or an operation with no key as its result.
var ErrInvalid = errors.New("invalid key")

// Error says which text was refused, as what, and why.
type Error struct {
	Kind   Kind   // the kind asked for; zero when any would have done
	Text   string // the text or key, cut to a length fit for logs
	Reason string // lower case, no full stop
}

func (e *Error) Error() string {
	name := "key"
	if e.Kind != 0 {
		name = e.Kind.String() + " key"
	}
	return fmt.Sprintf("%s %q: %s", name, e.Text, e.Reason)
}

// Unwrap returns [ErrInvalid].
func (e *Error) Unwrap() error { return ErrInvalid }

// maxErrorText bounds Error.Text, in bytes.
const maxErrorText = 160

func fail(kind Kind, text, why string) error {
	if len(text) > maxErrorText {
		cut := maxErrorText
		for cut > maxErrorText-utf8.UTFMax && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	return &Error{Kind: kind, Text: text, Reason: why}
}

// Reasons that more than one parser gives.
const (
	whyLong     = "longer than 65,535 bytes"
	whyPrefix   = "not a known prefix of this kind"
	whyUTF8     = "not valid UTF-8"
	whyZero     = "no key"
	whyOnlyVer  = "names a version only"
	whyNoBranch = "cannot carry a branch"
	whyNoVer    = "cannot carry a version"
)
