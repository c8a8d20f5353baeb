package definitions

// Source is the folder that definitions come from. Files of one folder share it (authz.md §15, D17).
type Source struct {
	Distribution string // package that the folder belongs to, or "local"
	Module       string // the folder inside it
	Version      string // of the distribution; may be empty
	Path         string // of its first file
	Digest       string // SHA-256 over all of its files, in hex
	Schema       string // version of the format
}

// Category groups permissions for people.
type Category struct {
	ID, Name, Description, Icon string
}

// Permission is one thing that can be allowed.
type Permission struct {
	Namespace, Verb         string // courses, edit_files
	Name, Description, Icon string
	Category                string
	Scopes                  []string // namespaces such as course-v1
}

// ID returns the permission's identifier, such as courses.edit_files.
func (p Permission) ID() string { return p.Namespace + "." + p.Verb }

// Role is a set of permissions that people can hold.
type Role struct {
	ID, Name, Description, Icon string
	Hidden                      bool // not offered where people choose a role; it works all the same
	Scopes                      []string
	Permissions                 []string
}

// Extension changes a role that another file defines. Nil fields are left as they are.
type Extension struct {
	Role                    string
	Add, Remove             []string
	Name, Description, Icon *string
	Hidden                  *bool
}

// File is one file of definitions.
type File struct {
	Path        string // for messages
	Source      *Source
	Priority    int
	Categories  []Category
	Permissions []Permission
	Roles       []Role
	Extensions  []Extension
}
