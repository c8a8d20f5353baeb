package cli

import (
	"github.com/spf13/cobra"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/user"
)

// addedUser is the document of a new user.
type addedUser struct {
	Username string  `json:"username"`
	Email    string  `json:"email"`
	Link     *string `json:"link"` // signs in once, within an hour, to set a password; null in a dry run
}

func (d addedUser) text(w *textWriter) {
	w.line("user %s <%s> added; name it in changes with: --as %s", d.Username, d.Email, d.Username)
	if d.Link != nil {
		w.line("to set a password, sign in once, within an hour, at %s", *d.Link)
	}
}

// userList is the document of all users.
type userList struct {
	Users []user.User `json:"users"`
}

func (d userList) text(w *textWriter) {
	if len(d.Users) == 0 {
		w.line("no users yet; add one with: lectern user add NAME --email ADDRESS")
		return
	}
	w.row("USER", "E-MAIL", "NAME", "ROLE")
	for _, u := range d.Users {
		role := ""
		switch {
		case !u.Active:
			role = "disabled"
		case u.Superuser:
			role = "superuser"
		case u.Staff:
			role = "staff"
		}
		w.row(u.Username, u.Email, u.Name, role)
	}
}

func (c *cli) userCommand() *cobra.Command {
	var n user.New
	var public string
	add := &cobra.Command{
		Use:   "add NAME --email ADDRESS",
		Short: "Add a user",
		Long: `Add makes the row of a person, whom --as then names. The user has no password yet: the link that is printed signs in once,
within an hour, to set one; or set one with lectern user password.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern user add jo --email jo@example.org --name "Jo Lamb"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Username = args[0]
			at, err := c.publicOf(public)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), making, func(a *app.App) error {
				u, text, err := a.AddUserWithLink(cmd.Context(), n)
				if err != nil {
					return err
				}
				return c.print(addedUser{Username: u.Username, Email: u.Email, Link: linkTo(at, text)})
			})
		},
	}
	f := add.Flags()
	f.StringVar(&n.Email, "email", "", "e-mail `address`")
	f.StringVar(&n.Name, "name", "", "full `name`")
	f.BoolVar(&n.Staff, "staff", false, "make the user staff")
	f.BoolVar(&n.Superuser, "superuser", false, "make the user a superuser")
	publicFlag(add, &public)
	list := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Args:    cobra.NoArgs,
		Example: `  lectern user list`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				all, err := a.Users(cmd.Context())
				if err != nil {
					return err
				}
				return c.print(userList{all})
			})
		},
	}
	return c.family("user", "Add people, let them sign in, and keep them out", verb{add, addedUser{}}, verb{list, userList{}},
		verb{c.userPasswordCommand(), userPassword{}}, verb{c.userActiveCommand(false), userActive{}}, verb{c.userActiveCommand(true), userActive{}},
		verb{c.userTokenCommand(), newToken{}}, verb{c.userTokensCommand(), tokenList{}})
}
