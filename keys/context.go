package keys

import "database/sql/driver"

// Context names what content lies in: all that a [Course] can, and libraries of today, lib:ORG:SLUG. The zero Context is
// no key. Safe for concurrent use.
type Context struct{ key }

// ParseContext reads the key of a course or library.
func ParseContext(s string) (k Context, err error) {
	err = k.parse(KindContext, s)
	return k, err
}

// ValidContext reports whether [ParseContext] accepts s, without making an error.
func ValidContext(s string) bool { return valid(KindContext, s) }

// NewLibrary returns lib:org:slug.
func NewLibrary(org, slug string) (Context, error) {
	s := "lib:" + org + ":" + slug
	if !all(org, classASCII) || !all(slug, classSlug) {
		return Context{}, fail(KindContext, s, whyChar)
	}
	return ParseContext(s)
}

// Kind returns KindContext.
func (c Context) Kind() Kind { return KindContext }

// Org returns the organisation, "" for keys that name a version only.
func (c Context) Org() string { return c.orgText() }

// Code returns the course code, the code of a legacy library or the slug of a library.
func (c Context) Code() string { return c.code() }

// Run returns the run of a course. The run of a slash key may be "".
func (c Context) Run() (string, bool) { return c.runText() }

// Branch returns the branch, if the key names one.
func (c Context) Branch() (string, bool) { return c.branchText() }

// Version returns the version, if the key names one.
func (c Context) Version() (Version, bool) { return c.version() }

// IsCourse reports whether this is a course run.
func (c Context) IsCourse() bool { return c.form == FormCourse || c.form == FormSlash }

// IsLibrary reports whether this is a library, of today or legacy.
func (c Context) IsLibrary() bool { return c.form == FormLibrary || c.form == FormLegacyLibrary }

// Course returns the same key as a course, and false for a library of today and for no key.
func (c Context) Course() (Course, bool) {
	if c.form == 0 || c.form == FormLibrary {
		return Course{}, false
	}
	return Course(c), true
}

// Usage returns the key of a block in the context: lb in a library of today, else as [Course.Usage].
func (c Context) Usage(blockType, id string) (Usage, error) {
	if c.form == FormLibrary {
		k, err := c.block(KindUsage, FormLibraryBlock, blockType, classASCII, id, classSlug)
		return Usage{k}, err
	}
	return Course(c).Usage(blockType, id)
}

// Container returns the key of a container (unit, subsection, section) in a library of today.
func (c Context) Container(containerType, id string) (Container, error) {
	if c.form != FormLibrary {
		return Container{}, fail(KindContainer, c.s, "a container needs a library of today")
	}
	k, err := c.block(KindContainer, FormContainer, containerType, classASCII, id, classSlug)
	return Container{k}, err
}

// Collection returns the key of a collection in a library of today.
func (c Context) Collection(id string) (Collection, error) {
	switch {
	case c.form != FormLibrary:
		return Collection{}, fail(KindCollection, c.s, "a collection needs a library of today")
	case !all(id, classSlug):
		return Collection{}, fail(KindCollection, id, "not a collection id")
	}
	return ParseCollection(forms[FormCollection].lead + c.s[c.body():] + ":" + id)
}

// WithBranch is [Course.WithBranch]; libraries of today have no branches.
func (c Context) WithBranch(branch string) (Context, error) {
	k, err := c.withBranch(KindContext, branch)
	return Context{k}, err
}

// WithoutBranch is [Course.WithoutBranch]; a library of today stays as it is.
func (c Context) WithoutBranch() (Context, error) {
	k, err := c.withoutBranch(KindContext)
	return Context{k}, err
}

// WithVersion is [Course.WithVersion]; libraries of today have no versions.
func (c Context) WithVersion(v Version) (Context, error) {
	k, err := c.withVersion(KindContext, v)
	return Context{k}, err
}

// WithoutVersion is [Course.WithoutVersion]; a library of today stays as it is.
func (c Context) WithoutVersion() (Context, error) {
	k, err := c.withoutVersion(KindContext)
	return Context{k}, err
}

// Stored returns the key as database columns hold it, without branch and version. Version-only keys are refused.
func (c Context) Stored() (Context, error) {
	k, err := c.stored(KindContext)
	return Context{k}, err
}

// Equal reports c == o.
func (c Context) Equal(o Context) bool { return c == o }

// Compare orders keys as [Course.Compare] does; the slug of a library stands where the course code does.
func (c Context) Compare(o Context) int { return compare(c.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (c *Context) UnmarshalText(b []byte) error { return c.unmarshal(KindContext, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (c *Context) Scan(src any) error { return c.scanColumn(KindContext, src) }

// Value returns the text of [Context.Stored] for a column, "" for no key. It refuses more than 255 characters.
func (c Context) Value() (driver.Value, error) { return c.column(KindContext) }
