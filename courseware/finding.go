package courseware

import "fmt"

// Severity ranks a finding.
type Severity uint8

// Severities in rising order (olx.md §4).
const (
	Info Severity = iota
	Warning
	Error
)

func (s Severity) String() string {
	switch s {
	case Info:
		return "info"
	case Warning:
		return "warning"
	case Error:
		return "error"
	}
	return fmt.Sprintf("Severity(%d)", uint8(s))
}

// MarshalText writes the severity as its lower-case word.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something a reader or validator noticed in its input, with the place and what to do about it.
type Finding struct {
	File     string   `json:"file"`
	Line     int      `json:"line"` // from 1; 0 when the finding is about the file as a whole
	Rule     string   `json:"rule"` // a name of olx.md §4
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy"`
}

func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return fmt.Sprintf("%s: %s: %s: %s", place, f.Severity, f.Rule, f.Message)
}
