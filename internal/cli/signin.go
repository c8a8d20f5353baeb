package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/openlectern/lectern/api"
	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/password"
)

// defaultPublic is where browsers find a server that was started without flags.
const defaultPublic = "http://localhost:8080"

func publicFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVar(to, "public-url", "", "where browsers find the server that shall answer the link, as a `URL` ($LECTERN_PUBLIC_URL, default "+defaultPublic+")")
}

// publicOf reads where browsers find the server.
func (c *cli) publicOf(said string) (*url.URL, error) {
	if said == "" {
		said = c.env.Getenv("LECTERN_PUBLIC_URL")
	}
	if said == "" {
		said = defaultPublic
	}
	return api.ParseOrigin("--public-url", said)
}

// linkTo returns the address that signs in once, nil where nothing was made.
func linkTo(at *url.URL, text string) *string {
	if text == "" {
		return nil
	}
	link := at.String() + apisignin.LinkPath(text)
	return &link
}

// userPassword is the document of a password that was set, or of a link to set one.
type userPassword struct {
	Username string  `json:"username"`
	Email    string  `json:"email"`
	Link     *string `json:"link"` // with --link: signs in once, within an hour, to set a password; else null
}

func (d userPassword) text(w *textWriter) {
	if d.Link != nil {
		w.line("%s can sign in once, within an hour, at %s", d.Username, *d.Link)
		return
	}
	w.line("the password of %s is set; sessions and tokens of before have ended", d.Username)
}

func (c *cli) userPasswordCommand() *cobra.Command {
	var link bool
	var public string
	cmd := &cobra.Command{
		Use:   "password NAME",
		Short: "Set a user's password",
		Long: `Password asks for a new password on the terminal, or reads the first line of the standard input. The user's sessions and
tokens end. With --link it leaves the password as it is and prints an address that signs the user in once, within an hour,
to set one.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern user password jo
  lectern user password jo < password.txt
  lectern user password jo --link --public-url https://studio.example.org`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := c.publicOf(public)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				if link {
					u, text, err := a.SignInLink(cmd.Context(), args[0])
					if err != nil {
						return err
					}
					return c.print(userPassword{Username: u.Username, Email: u.Email, Link: linkTo(at, text)})
				}
				plain, err := c.readPassword(args[0])
				if err != nil {
					return err
				}
				u, err := a.SetPassword(cmd.Context(), args[0], plain)
				if err != nil {
					return err
				}
				return c.print(userPassword{Username: u.Username, Email: u.Email})
			})
		},
	}
	cmd.Flags().BoolVar(&link, "link", false, "print a link to set it with, instead")
	publicFlag(cmd, &public)
	return cmd
}

// readPassword reads a password: twice without echo from a terminal, else the first line of the standard input.
func (c *cli) readPassword(name string) (string, error) {
	if f, ok := c.env.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		ask := func(prompt string) (string, error) {
			fmt.Fprint(c.env.Stderr, prompt)
			b, err := term.ReadPassword(int(f.Fd()))
			fmt.Fprintln(c.env.Stderr)
			return string(b), err
		}
		first, err := ask("New password of " + name + ": ")
		if err != nil {
			return "", err
		}
		again, err := ask("Once more: ")
		if err == nil && first != again {
			err = usage(name, "the two passwords are not the same")
		}
		return first, err
	}
	const limit = 4*password.MaxLength + 2
	line, err := bufio.NewReader(io.LimitReader(c.env.Stdin, limit)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if line == "" {
		return "", usage("standard input", "it has no password").WithNext("give the password as its first line, or run the command on a terminal")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// userActive is the document of a user who was disabled or enabled.
type userActive struct {
	Username string `json:"username"`
	Active   bool   `json:"active"`
}

func (d userActive) text(w *textWriter) {
	if d.Active {
		w.line("%s may sign in again", d.Username)
		return
	}
	w.line("%s may not sign in any more; sessions and tokens have ended", d.Username)
}

func (c *cli) userActiveCommand(active bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "disable NAME",
		Short:   "Keep a user from signing in",
		Long:    `Disable keeps a user from signing in and ends the user's sessions and tokens at once, on all servers. Nothing else changes.`,
		Args:    cobra.ExactArgs(1),
		Example: `  lectern user disable jo`,
	}
	if active {
		cmd.Use, cmd.Short, cmd.Example = "enable NAME", "Let a disabled user sign in again", `  lectern user enable jo`
		cmd.Long = `Enable lets a disabled user sign in again, with the password from before. Tokens that have ended stay so.`
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return c.with(cmd.Context(), writing, func(a *app.App) error {
			change := a.DisableUser
			if active {
				change = a.EnableUser
			}
			u, err := change(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.print(userActive{u.Username, u.Active})
		})
	}
	return cmd
}

// newToken is the document of a token that was made or revoked.
type newToken struct {
	Token   *string    `json:"token"` // shown this once; null when one was revoked, and in a dry run
	ID      *int64     `json:"id"`    // null in a dry run
	Name    string     `json:"name"`
	Expires *time.Time `json:"expires"` // null: it does not
}

func (d newToken) text(w *textWriter) {
	switch {
	case d.Token != nil:
		w.line("%s", *d.Token)
	case d.ID != nil:
		w.line("token %d is revoked", *d.ID)
	default:
		w.line("a token would be made")
	}
}

func (c *cli) userTokenCommand() *cobra.Command {
	var name string
	var life lifetime
	var revoke int64
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Make a token with which programs act as a user, or revoke one",
		Long: `Token makes a service token, which is printed this once. Programs send it in the header "Authorization: Bearer TOKEN". It is
good until it expires or is revoked, the user is disabled, or the user's password is changed.`,
		Args: cobra.ExactArgs(1),
		Example: `  lectern user token robot --name nightly-export --expires 90d
  lectern user token robot --revoke 7`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), writing, func(a *app.App) error {
				if cmd.Flags().Changed("revoke") {
					if err := a.RevokeToken(cmd.Context(), args[0], revoke); err != nil {
						return err
					}
					return c.print(newToken{ID: &revoke})
				}
				text, t, err := a.NewToken(cmd.Context(), args[0], name, time.Duration(life))
				if err != nil {
					return err
				}
				d := newToken{Name: t.Name, Expires: t.Expires}
				if text != "" {
					d.Token, d.ID = &text, &t.ID
				}
				return c.print(d)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what it is for, as a `text` in the list")
	f.Var(&life, "expires", "how `long` it is good, such as 12h or 90d (default for ever)")
	f.Int64Var(&revoke, "revoke", 0, "end the token of this `id` instead")
	cmd.MarkFlagsMutuallyExclusive("revoke", "expires")
	cmd.MarkFlagsMutuallyExclusive("revoke", "name")
	return cmd
}

// tokenList is the document of a user's tokens.
type tokenList struct {
	Tokens []signin.Token `json:"tokens"`
}

func (d tokenList) text(w *textWriter) {
	if len(d.Tokens) == 0 {
		w.line("no tokens; make one with: lectern user token NAME")
		return
	}
	w.row("ID", "NAME", "CREATED", "USED", "ENDS")
	for _, t := range d.Tokens {
		used, ends := "never", "never"
		if t.Used != nil {
			used = t.Used.Format(time.DateTime)
		}
		switch {
		case t.Revoked != nil:
			ends = "revoked"
		case t.Expires != nil:
			ends = t.Expires.Format(time.DateTime)
		}
		w.row(strconv.FormatInt(t.ID, 10), t.Name, t.Created.Format(time.DateTime), used, ends)
	}
}

func (c *cli) userTokensCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "tokens NAME",
		Short:   "List the tokens of a user",
		Args:    cobra.ExactArgs(1),
		Example: `  lectern user tokens robot`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.with(cmd.Context(), reading, func(a *app.App) error {
				all, err := a.Tokens(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if all == nil {
					all = []signin.Token{}
				}
				return c.print(tokenList{all})
			})
		},
	}
}

// lifetime is a duration that may be given in days.
type lifetime time.Duration

func (l *lifetime) Type() string { return "duration" }

func (l *lifetime) String() string {
	if *l == 0 {
		return ""
	}
	return time.Duration(*l).String()
}

func (l *lifetime) Set(text string) error {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return errors.New("not a number of days")
		}
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = errors.New("not a time to come")
	}
	*l = lifetime(d)
	return err
}
