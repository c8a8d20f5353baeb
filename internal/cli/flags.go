package cli

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/openlectern/lectern/fault"
)

// flagError tells of a flag that does not parse by its name, in words of ours.
func flagError(cmd *cobra.Command, err error) error {
	thing, reason := cmd.CommandPath(), err.Error()
	var unknown *pflag.NotExistError
	var empty *pflag.ValueRequiredError
	var bad *pflag.InvalidValueError
	switch {
	case errors.As(err, &unknown):
		dashes := "--"
		if unknown.GetSpecifiedShortnames() != "" {
			dashes = "-"
		}
		thing, reason = dashes+unknown.GetSpecifiedName(), "there is no such flag"
	case errors.As(err, &empty):
		thing, reason = "--"+empty.GetFlag().Name, "it needs a value"
	case errors.As(err, &bad):
		thing, reason = "--"+bad.GetFlag().Name, fmt.Sprintf("%q is not %s", bad.GetValue(), valueOf(bad.GetFlag()))
		if cause := bad.Unwrap(); bad.GetFlag().Value.Type() == messageType {
			reason = cause.Error()
		}
	}
	return fault.Errorf(fault.Usage, thing, "%s", reason).WithNext("see: " + cmd.CommandPath() + " --help")
}

// valueOf names what a flag takes.
func valueOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "bool":
		return "true or false"
	case "duration":
		return "a duration like 90s or 2h"
	}
	return "what the flag takes"
}

const (
	messageType = "text"
	maxMessage  = 500 // characters, as the logs of Open edX hold (content-schema.md)
)

// message is the value of --message.
type message struct{ to *string }

// messageFlag adds --message to a command that history notes.
func messageFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().VarP(message{to}, "message", "m", "`text` for the history")
}

func (m message) Type() string   { return messageType }
func (m message) String() string { return *m.to }

func (m message) Set(text string) error {
	switch {
	case !utf8.ValidString(text):
		return errors.New("it is not UTF-8")
	case utf8.RuneCountInString(text) > maxMessage:
		return errors.New("it is longer than " + strconv.Itoa(maxMessage) + " characters")
	}
	*m.to = text
	return nil
}
