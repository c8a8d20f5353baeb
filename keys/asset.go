package keys

import "database/sql/driver"

// Asset names a file of a course: asset-v1:… or the deprecated /c4x/…. The zero Asset is no key. Safe for concurrent use.
type Asset struct{ key }

// ParseAsset reads the key of a file.
func ParseAsset(s string) (k Asset, err error) {
	err = k.parse(KindAsset, s)
	return k, err
}

// ValidAsset reports whether [ParseAsset] accepts s, without making an error.
func ValidAsset(s string) bool { return valid(KindAsset, s) }

// Kind returns KindAsset.
func (a Asset) Kind() Kind { return KindAsset }

// Org returns the organisation, "" for keys that name a version only.
func (a Asset) Org() string { return a.orgText() }

// Code returns the course code.
func (a Asset) Code() string { return a.code() }

// Run returns the run, which c4x keys do not have.
func (a Asset) Run() (string, bool) { return a.runText() }

// Branch returns the branch, if the key names one; in c4x keys it is the revision after the @.
func (a Asset) Branch() (string, bool) { return a.branchText() }

// Version returns the version, if the key names one.
func (a Asset) Version() (Version, bool) { return a.version() }

// Type returns the type of asset, such as "asset" or "thumbnail". That of a c4x key is any text without a slash.
func (a Asset) Type() string { return a.typeText() }

// Path returns the name of the file, in which Open edX writes @ for a slash.
func (a Asset) Path() string { return a.idText() }

// Course returns the course of the file with branch and version, and false for c4x keys, which do not say which run. It
// allocates.
func (a Asset) Course() (Course, bool) {
	k, ok := a.context()
	return Course{k}, ok
}

// In returns the key of the same file in another course, whose form, branch and version it takes.
func (a Asset) In(c Course) (Asset, error) {
	if a.IsZero() {
		return Asset{}, fail(KindAsset, "", whyZero)
	}
	return c.Asset(a.Type(), a.Path())
}

// WithBranch returns the key at a branch, without version; in c4x keys it is written @BRANCH.
func (a Asset) WithBranch(branch string) (Asset, error) {
	k, err := a.withBranch(KindAsset, branch)
	return Asset{k}, err
}

// WithoutBranch returns the key without branch and version. Version-only keys are refused.
func (a Asset) WithoutBranch() (Asset, error) {
	k, err := a.withoutBranch(KindAsset)
	return Asset{k}, err
}

// WithVersion returns the key at a version, with its branch kept. c4x keys are refused.
func (a Asset) WithVersion(v Version) (Asset, error) {
	k, err := a.withVersion(KindAsset, v)
	return Asset{k}, err
}

// WithoutVersion returns the key without version, with its branch kept. Version-only keys are refused.
func (a Asset) WithoutVersion() (Asset, error) {
	k, err := a.withoutVersion(KindAsset)
	return Asset{k}, err
}

// VersionOnly returns the key whose course part names nothing but the version; keys without one are refused.
func (a Asset) VersionOnly() (Asset, error) {
	k, err := a.versionOnly(KindAsset)
	return Asset{k}, err
}

// Stored returns the key without branch and version. Version-only keys are refused.
func (a Asset) Stored() (Asset, error) {
	k, err := a.stored(KindAsset)
	return Asset{k}, err
}

// HTMLID is [Usage.HTMLID] for files.
func (a Asset) HTMLID() string { return a.htmlID("c4x") }

// Equal reports a == o.
func (a Asset) Equal(o Asset) bool { return a == o }

// Compare orders keys as [Usage.Compare] does.
func (a Asset) Compare(o Asset) int { return compare(a.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (a *Asset) UnmarshalText(b []byte) error { return a.unmarshal(KindAsset, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (a *Asset) Scan(src any) error { return a.scanColumn(KindAsset, src) }

// Value returns the text of [Asset.Stored] for a column, as [Usage.Value].
func (a Asset) Value() (driver.Value, error) { return a.column(KindAsset) }
