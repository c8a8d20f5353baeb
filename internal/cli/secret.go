package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/signin/keyring"
)

// secretKeys is the document of the keys in the file; of the keys themselves it says nothing.
type secretKeys struct {
	File string      `json:"file"`
	Keys []secretKey `json:"keys"` // oldest first; the last is the one in use
}

type secretKey struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	InUse   bool      `json:"in_use"`
}

func (d secretKeys) text(w *textWriter) {
	w.row("KEY", "CREATED", "")
	for _, k := range d.Keys {
		state := "still accepted"
		if k.InUse {
			state = "in use"
		}
		w.row(k.ID, k.Created.Format(time.DateTime), state)
	}
}

func (c *cli) secretCommand() *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List the keys of the server", Args: cobra.NoArgs, Example: `  lectern secret list`,
		Long: `List names the keys in the file of keys, secret.json in the data folder or what $LECTERN_SECRET_FILE says.`,
		RunE: func(*cobra.Command, []string) error { return c.printKeys() },
	}
	rotate := &cobra.Command{
		Use: "rotate", Short: "Make a new key", Args: cobra.NoArgs, Example: `  lectern secret rotate`,
		Long: `Rotate adds a new key to the file of keys, which servers that run use within seconds. What the old keys have signed is
still accepted, until they are removed: wait for two hours first. Several servers share one file; where each has a copy, copy it again.`,
		RunE: func(*cobra.Command, []string) error {
			if !c.global.dryRun {
				if _, err := keyring.Rotate(c.secretFile()); err != nil {
					return err
				}
			}
			return c.printKeys()
		},
	}
	remove := &cobra.Command{
		Use: "remove KEY", Short: "Remove an old key", Args: cobra.ExactArgs(1), Example: `  lectern secret remove HX2KQ3LMN5TPRS7W`,
		Long: `Remove removes an old key from the file of keys. What it has signed is refused from then on; browsers get new cookies by
themselves, as sessions are in the database.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if !c.global.dryRun {
				if err := keyring.Remove(c.secretFile(), args[0]); err != nil {
					return err
				}
			}
			return c.printKeys()
		},
	}
	return c.family("secret", "The keys with which a server signs", verb{list, secretKeys{}}, verb{rotate, secretKeys{}}, verb{remove, secretKeys{}})
}

func (c *cli) secretFile() string { return c.config(reading).SecretFile() }

func (c *cli) printKeys() error {
	keys, err := keyring.List(c.secretFile())
	if err != nil {
		return err
	}
	d := secretKeys{File: c.secretFile(), Keys: []secretKey{}}
	for i, k := range keys {
		d.Keys = append(d.Keys, secretKey{k.ID, k.Created, i == len(keys)-1})
	}
	return c.print(d)
}
