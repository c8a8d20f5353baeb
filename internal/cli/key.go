package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/keys"
)

// parsedKey is the document of one key.
type parsedKey struct{ keys.Info }

func (d parsedKey) text(w *textWriter) {
	w.line("%s", d.Canonical)
	for _, f := range []struct {
		name  string
		value *string
	}{
		{"kind", &d.Kind}, {"org", d.Org}, {"course", d.Course}, {"run", d.Run}, {"type", d.Type}, {"id", d.ID},
		{"branch", d.Branch}, {"version", d.Version},
	} {
		if f.value != nil {
			w.row("  "+f.name, *f.value)
		}
	}
	if d.Deprecated {
		w.row("  deprecated", "yes")
	}
}

// parsedKeys is the document of several.
type parsedKeys struct {
	Keys []parsedKey `json:"keys"`
}

func (d parsedKeys) text(w *textWriter) {
	for _, k := range d.Keys {
		k.text(w)
	}
}

func (c *cli) keyCommand() *cobra.Command {
	return c.family("key", "Take keys apart", verb{&cobra.Command{
		Use:   "parse KEY...",
		Short: "Show what the parts of keys are",
		Long: `Parse reads keys of any kind and shows their parts; canonical is the text that the key prints. A text that is no key is
wrong usage. With several keys the document has them in a list, keys.`,
		Args:    cobra.MinimumNArgs(1),
		Example: `  lectern key parse ` + usageForm,
		RunE: func(_ *cobra.Command, args []string) error {
			var d parsedKeys
			for _, text := range args {
				k, err := keys.Parse(text)
				if err != nil {
					return notKey(text, "known kind", courses.form+", "+usageForm+" or another form of Open edX", err)
				}
				d.Keys = append(d.Keys, parsedKey{keys.Describe(k)})
			}
			if len(d.Keys) == 1 {
				return c.print(d.Keys[0])
			}
			return c.print(d)
		},
	}, parsedKey{}})
}
