package cli

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/openlectern/lectern/api"
	apisignin "github.com/openlectern/lectern/api/signin"
	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin"
	"github.com/openlectern/lectern/signin/jwks"
	"github.com/openlectern/lectern/signin/oidc"
	"github.com/openlectern/lectern/signin/webtoken"
)

// recognising are the flags of serve that say whom it recognises, besides by its own passwords.
type recognising struct {
	lmsKeys, lmsIssuer, lmsAudience, lmsSecret string
	oidcIssuer, oidcClient, oidcSecret         string
	oidcName                                   string
	oidcCreate                                 bool
}

func (f *recognising) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.lmsKeys, "lms-keys", "", "accept the web tokens of a learning management system whose public keys are at this https `address` or in this file, a JSON Web Key Set")
	fl.StringVar(&f.lmsIssuer, "lms-issuer", "", "`issuer` of those tokens (claim iss)")
	fl.StringVar(&f.lmsAudience, "lms-audience", "", "`audience` of those tokens (claim aud)")
	fl.StringVar(&f.lmsSecret, "lms-secret", "", "`file` with the secret of those tokens that are signed by HS256, which are refused without")
	fl.StringVar(&f.oidcIssuer, "oidc-issuer", "", "let people sign in by the identity provider at this https `address` (OpenID Connect)")
	fl.StringVar(&f.oidcClient, "oidc-client", "", "`id` of this server at the provider, whose callback is PUBLIC-URL"+apisignin.CallbackPath)
	fl.StringVar(&f.oidcSecret, "oidc-secret", "", "`file` with the secret of this server at the provider ($LECTERN_OIDC_SECRET holds the secret itself)")
	fl.StringVar(&f.oidcName, "oidc-name", "", "what the provider is called on the button, as a `text`")
	fl.BoolVar(&f.oidcCreate, "oidc-create", false, "make users of people who are new here and whose e-mail address the provider has verified")
}

// handlers returns what recognises people on a store, for api.Config.Auth, and its routes for api.Config.Parts.
func (f *recognising) handlers(a *app.App, getenv func(string) string, public *url.URL, origins []string) (*apisignin.Handlers, *signin.Service, error) {
	s, err := a.SignIn(public.String())
	if err != nil {
		return nil, nil, err
	}
	if s.Other, err = f.other(); err != nil {
		return nil, nil, err
	}
	conf := apisignin.Config{Service: s, Public: public, Origins: origins, ProviderName: f.oidcName, CreateUsers: f.oidcCreate}
	if conf.Provider, err = f.provider(getenv, public); err != nil {
		return nil, nil, err
	}
	h, err := apisignin.New(conf)
	return h, s, err
}

// other returns the acceptance of another issuer's tokens, nil for none.
func (f *recognising) other() (*webtoken.Other, error) {
	if f.lmsKeys == "" && f.lmsSecret == "" {
		if f.lmsIssuer != "" || f.lmsAudience != "" {
			return nil, usage("--lms-issuer", "there are no keys to check its tokens with").WithNext("give --lms-keys as well")
		}
		return nil, nil //nolint:nilnil // there is none
	}
	if f.lmsIssuer == "" || f.lmsAudience == "" {
		return nil, usage("--lms-keys", "the issuer or the audience is missing").
			WithNext("give --lms-issuer and --lms-audience as well, or tokens that are meant for other services would be accepted")
	}
	o := &webtoken.Other{Issuer: f.lmsIssuer, Audience: f.lmsAudience}
	var err error
	if f.lmsKeys != "" {
		if o.Keys, err = jwks.Open(f.lmsKeys); err != nil {
			return nil, err
		}
	}
	if f.lmsSecret != "" {
		text, err := secretFrom("--lms-secret", f.lmsSecret)
		if err != nil {
			return nil, err
		}
		o.Secret = []byte(text)
	}
	return o, nil
}

// provider returns the identity provider, nil for none.
func (f *recognising) provider(getenv func(string) string, public *url.URL) (*oidc.Provider, error) {
	if f.oidcIssuer == "" {
		return nil, nil //nolint:nilnil // there is none
	}
	c := oidc.Config{Issuer: f.oidcIssuer, ClientID: f.oidcClient, ClientSecret: getenv("LECTERN_OIDC_SECRET"), Redirect: public.String() + apisignin.CallbackPath}
	if f.oidcSecret != "" {
		var err error
		if c.ClientSecret, err = secretFrom("--oidc-secret", f.oidcSecret); err != nil {
			return nil, err
		}
	}
	return oidc.New(c)
}

// secretFrom reads a secret from a file, without the white space around it.
func secretFrom(flag, path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fault.Errorf(fault.Usage, flag, "the file cannot be read: %w", err)
	}
	text := strings.TrimSpace(string(b))
	if len(text) < 16 {
		return "", usage(flag, "the secret in %s has less than 16 characters", path)
	}
	return text, nil
}

// sayFirst prints the line with the address that signs the first user in, where nobody has come yet.
func (c *cli) sayFirst(ctx context.Context, a *app.App, public *url.URL) error {
	text, err := a.FirstLink(ctx)
	if err != nil || text == "" {
		return err
	}
	if _, err := fmt.Fprintf(c.env.Stdout, "sign in once at %s\n", *linkTo(public, text)); err != nil {
		return fault.Errorf(fault.Unavailable, "standard output", "%w", err)
	}
	return nil
}

var _ api.Auth = (*apisignin.Handlers)(nil)
