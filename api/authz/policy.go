package authzapi

import (
	"iter"

	"github.com/openlectern/lectern/authz/scope"
)

// super reports whether the caller is staff or a superuser, who pass every gate.
func (c *call) super() bool { return c.who.Staff || c.who.Superuser }

// allowed is the decision of the engine for the caller. An answer that cannot be given is no.
func (c *call) allowed(action, key string) (bool, error) { return c.ix.Allowed(c.who.Username, action, key) }
