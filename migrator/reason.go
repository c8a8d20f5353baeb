package migrator

import (
	"fmt"
	"strings"
)

// Codes of why a block of a source did not make it, or of what it lacks (U8).
const (
	HasChildren      = "has_children"
	TypeNotInstalled = "type_not_installed"
	TypeNotEnabled   = "type_not_enabled"
	InvalidOLX       = "invalid_olx"
	MissingFile      = "missing_file" // a warning: the block made it
	OtherReason      = "other"        // of a row that another program wrote
)

// The fixed words of the texts, by which a stored text is told from others: the table has no column for the code.
const (
	wordsChildren  = "not supported in content libraries"
	wordsInstalled = "Invalid block type"
	wordsEnabled   = "not enabled in this library"
	wordsInvalid   = "cannot be read as OLX"
	wordsMissing   = "names files that the source does not have"
)

// Reason is why a block did not make it: a stable code, and the text of its row.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// ReasonOf returns the reason that the text of a row states.
func ReasonOf(text string) Reason {
	for _, k := range []struct{ words, code string }{
		{wordsInstalled, TypeNotInstalled}, {wordsChildren, HasChildren}, {wordsEnabled, TypeNotEnabled},
		{wordsInvalid, InvalidOLX}, {wordsMissing, MissingFile},
	} {
		if strings.Contains(text, k.words) {
			return Reason{k.code, text}
		}
	}
	return Reason{OtherReason, text}
}

// hasChildren is the reason of a type that holds other blocks (U2).
func hasChildren(kind, id string, children int) *Reason {
	text := fmt.Sprintf("Blocks of type %q (ID: %q) hold other blocks, which is %s.", kind, id, wordsChildren)
	switch {
	case children == 1:
		text += " It has 1 child block."
	case children > 1:
		text += fmt.Sprintf(" It has %d children blocks.", children)
	}
	return &Reason{HasChildren, text}
}

func notInstalled(kind string) *Reason {
	return &Reason{TypeNotInstalled, wordsInstalled + ": " + kind}
}

func notEnabled(kind string) *Reason {
	return &Reason{TypeNotEnabled, fmt.Sprintf("Blocks of type %q are %s.", kind, wordsEnabled)}
}

func invalidOLX(kind, id, why string) *Reason {
	if why != "" {
		why = ": " + why
	}
	return &Reason{InvalidOLX, fmt.Sprintf("The block of type %q (ID: %q) %s%s.", kind, id, wordsInvalid, why)}
}

func missingFiles(names []string) *Reason {
	return &Reason{MissingFile, "The block " + wordsMissing + ": " + strings.Join(names, ", ") + "."}
}
