package keys

import "database/sql/driver"

// Usage names a block where it is used: block-v1:…, lib-block-v1:…, lb:…, location:…, the deprecated i4x://…, or an
// aside around any of them. The zero Usage is no key. Safe for concurrent use.
//
// The field accessors of an aside are those of the block it is about; they decode it each time, and so allocate.
type Usage struct{ key }

// ParseUsage reads the key of a block or of an aside of one.
func ParseUsage(s string) (k Usage, err error) {
	err = k.parse(KindUsage, s)
	return k, err
}

// ValidUsage reports whether [ParseUsage] accepts s, without making an error.
func ValidUsage(s string) bool { return valid(KindUsage, s) }

// ParseAsideUsage reads the key of an aside, and refuses those of plain blocks.
func ParseAsideUsage(s string) (k Usage, err error) {
	err = k.parse(KindAsideUsage, s)
	return k, err
}

// ValidAsideUsage reports whether [ParseAsideUsage] accepts s, without making an error.
func ValidAsideUsage(s string) bool { return valid(KindAsideUsage, s) }

// Kind returns KindAsideUsage for asides, else KindUsage.
func (u Usage) Kind() Kind {
	if u.IsAside() {
		return KindAsideUsage
	}
	return KindUsage
}

// Org returns the organisation, "" for keys that name a version only.
func (u Usage) Org() string { return u.base().orgText() }

// Code returns the course code, the code of a legacy library or the slug of a library.
func (u Usage) Code() string { return u.base().code() }

// Run returns the run, which i4x keys and keys of library blocks do not have.
func (u Usage) Run() (string, bool) { return u.base().runText() }

// Branch returns the branch, if the key names one; in i4x keys it is the revision after the @.
func (u Usage) Branch() (string, bool) { return u.base().branchText() }

// Version returns the version, if the key names one.
func (u Usage) Version() (Version, bool) { return u.base().version() }

// Type returns the block type. That of an i4x key is any text without a slash.
func (u Usage) Type() string { return u.base().typeText() }

// ID returns the block id.
func (u Usage) ID() string { return u.base().idText() }

// Context returns the course or library that the block is in, with branch and version, and false for i4x keys, which do
// not say which run. It allocates.
func (u Usage) Context() (Context, bool) {
	k, ok := u.context()
	return Context{k}, ok
}

// Course is Context for blocks of courses and legacy libraries, and false for those of libraries of today too.
func (u Usage) Course() (Course, bool) {
	k, ok := u.context()
	if !ok || k.form == FormLibrary {
		return Course{}, false
	}
	return Course{k}, true
}

// In returns the key of the same block in another course (keys.md §2.5, §6.3). Blocks of courses, i4x or not, take the
// form, branch and version of the course, and their type and id must be legal there; those of a legacy library go into
// legacy libraries only. A location: key and one of a library of today have a fixed place: the first goes into its own
// course only, the second nowhere. An aside is mapped inside.
func (u Usage) In(c Course) (Usage, error) {
	why := "cannot be mapped into " + c.form.String()
	switch {
	case c.IsZero():
		why = "cannot be mapped into no course"
	case u.form.aside():
		in, err := Usage{u.inner()}.In(c)
		if err != nil {
			return Usage{}, err
		}
		t, _ := u.asideType()
		k, err := in.wrap(u.form, t)
		return Usage{k}, err
	case (u.form == FormBlock || u.form == FormI4x) && c.IsCourse(), u.form == FormLegacyBlock && c.IsLibrary():
		return c.Usage(u.typeText(), u.idText())
	case u.form == FormLocation:
		if own, _ := u.Course(); own == c {
			return u, nil
		}
		why = "location: keys stay in their own course"
	}
	return Usage{}, fail(KindUsage, u.s, why)
}

// IsAside reports whether this is the key of an aside.
func (u Usage) IsAside() bool { return u.form.aside() }

// Aside returns the key of an aside of this block, in version 2, the one to write (keys.md §4).
func (u Usage) Aside(asideType string) (Usage, error) {
	k, err := u.wrap(FormAsideUsage2, asideType)
	return Usage{k}, err
}

// Inner returns the key that an aside is about, and an error for other keys. It allocates.
func (u Usage) Inner() (Usage, error) {
	if !u.form.aside() {
		return Usage{}, fail(KindAsideUsage, u.s, "not an aside")
	}
	return Usage{u.inner()}, nil
}

// AsideType returns the type of an aside, which may be "", and false for other keys.
func (u Usage) AsideType() (string, bool) { return u.asideType() }

// WithBranch returns the key at a branch, without version; in i4x keys it is written @BRANCH. Other forms than block-v1,
// lib-block-v1 and i4x have no branches, and neither have version-only keys.
func (u Usage) WithBranch(branch string) (Usage, error) {
	k, err := u.withBranch(KindUsage, branch)
	return Usage{k}, err
}

// WithoutBranch returns the key without branch and version. Version-only keys and asides are refused.
func (u Usage) WithoutBranch() (Usage, error) {
	k, err := u.withoutBranch(KindUsage)
	return Usage{k}, err
}

// WithVersion returns the key at a version, with its branch kept, for block-v1 and lib-block-v1.
func (u Usage) WithVersion(v Version) (Usage, error) {
	k, err := u.withVersion(KindUsage, v)
	return Usage{k}, err
}

// WithoutVersion returns the key without version, with its branch kept. Version-only keys and asides are refused.
func (u Usage) WithoutVersion() (Usage, error) {
	k, err := u.withoutVersion(KindUsage)
	return Usage{k}, err
}

// VersionOnly returns the key whose course part names nothing but the version; keys without one are refused.
func (u Usage) VersionOnly() (Usage, error) {
	k, err := u.versionOnly(KindUsage)
	return Usage{k}, err
}

// Stored returns the key as database columns hold it, without branch and version; asides stay as they are, with what
// is inside them. Version-only keys are refused.
func (u Usage) Stored() (Usage, error) {
	k, err := u.stored(KindUsage)
	return Usage{k}, err
}

// HTMLID returns the key's name in the pages of Open edX: the block id, or for i4x keys all but the revision with every
// character outside letters, numbers, _ and - as _ (keys.md §2.5). Keys of library blocks of today return all their
// text. Asides have none: "".
func (u Usage) HTMLID() string {
	if u.form == FormLibraryBlock {
		return u.s
	}
	return u.htmlID("i4x")
}

// Equal reports u == o.
func (u Usage) Equal(o Usage) bool { return u == o }

// Compare orders keys by organisation, code, run, branch, version, type and id, an absent field before any present one,
// then by form; no key comes first and asides last, by what they wrap. The order is total (keys.md §3.3).
func (u Usage) Compare(o Usage) int { return compare(u.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (u *Usage) UnmarshalText(b []byte) error { return u.unmarshal(KindUsage, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (u *Usage) Scan(src any) error { return u.scanColumn(KindUsage, src) }

// Value returns the text of [Usage.Stored] for a column, "" for no key. It refuses more than 255 characters, NUL, and a
// line break or space at the end, which no column gives back.
func (u Usage) Value() (driver.Value, error) { return u.column(KindUsage) }
