package keys

import "database/sql/driver"

// Course names a course run or a legacy library, perhaps at a branch or version of it: course-v1:…, library-v1:… or the
// deprecated ORG/COURSE/RUN. The zero Course is no key. Safe for concurrent use.
type Course struct{ key }

// ParseCourse reads a course key. slashes:… and the spellings of keys.md §6.3 become the canonical key.
func ParseCourse(s string) (k Course, err error) {
	err = k.parse(KindCourse, s)
	return k, err
}

// ValidCourse reports whether [ParseCourse] accepts s, without making an error.
func ValidCourse(s string) bool { return valid(KindCourse, s) }

// NewCourse returns course-v1:org+code+run.
func NewCourse(org, code, run string) (Course, error) {
	return newCourse("course-v1:", org, code, run, "+", classID, all(run, classID))
}

// NewSlashCourse returns org/code/run, the deprecated form of courses in Old Mongo. The run may be empty.
func NewSlashCourse(org, code, run string) (Course, error) {
	return newCourse("", org, code, run, "/", classOld, run == "" || all(run, classOld))
}

func newCourse(lead, org, code, run, sep string, m class, runOK bool) (Course, error) {
	s := lead + org + sep + code + sep + run
	if !all(org, m) || !all(code, m) || !runOK {
		return Course{}, fail(KindCourse, s, whyChar)
	}
	return ParseCourse(s)
}

// NewLegacyLibrary returns library-v1:org+code.
func NewLegacyLibrary(org, code string) (Course, error) {
	s := "library-v1:" + org + "+" + code
	if !all(org, classID) || !all(code, classID) {
		return Course{}, fail(KindCourse, s, whyChar)
	}
	return ParseCourse(s)
}

// Kind returns KindCourse.
func (c Course) Kind() Kind { return KindCourse }

// Org returns the organisation, "" for keys that name a version only.
func (c Course) Org() string { return c.orgText() }

// Code returns the course code or the code of the legacy library, "" for keys that name a version only.
func (c Course) Code() string { return c.code() }

// Run returns the run. Legacy libraries and version-only keys have none; the run of a slash key may be "".
func (c Course) Run() (string, bool) { return c.runText() }

// Branch returns the branch, if the key names one.
func (c Course) Branch() (string, bool) { return c.branchText() }

// Version returns the version, if the key names one.
func (c Course) Version() (Version, bool) { return c.version() }

// IsCourse reports whether this is a course run: false for legacy libraries and for no key.
func (c Course) IsCourse() bool { return c.form == FormCourse || c.form == FormSlash }

// IsLibrary reports whether this is a legacy library.
func (c Course) IsLibrary() bool { return c.form == FormLegacyLibrary }

// Context returns the same key as a context.
func (c Course) Context() Context { return Context(c) }

// Usage returns the key of a block in the course, with its branch and version: block-v1 in a course, lib-block-v1 in a
// legacy library, i4x in a slash course. An i4x key does not say the run; pair it with the course in an [InCourse].
func (c Course) Usage(blockType, id string) (Usage, error) {
	k, err := c.usage(blockType, id)
	return Usage{k}, err
}

func (c Course) usage(blockType, id string) (key, error) {
	switch c.form {
	case FormCourse:
		return c.block(KindUsage, FormBlock, blockType, classID, id, classID)
	case FormLegacyLibrary:
		return c.block(KindUsage, FormLegacyBlock, blockType, classID, id, classID)
	case FormSlash:
		if !all(id, classBID) {
			return key{}, fail(KindUsage, id, "not a block id")
		}
		return oldBlock(KindUsage, FormI4x, c.Org(), c.Code(), blockType, id)
	}
	return key{}, fail(KindUsage, c.s, "a block needs a course")
}

// Asset returns the key of a file of the course, with its branch and version: asset-v1 in a course, c4x in a slash
// course. Assets of legacy libraries have no key that can be read back (keys.md §6.3).
func (c Course) Asset(assetType, path string) (Asset, error) {
	k, err := c.asset(assetType, path)
	return Asset{k}, err
}

func (c Course) asset(assetType, path string) (key, error) {
	switch {
	case !all(path, classBID):
		return key{}, fail(KindAsset, path, "not an asset path")
	case c.form == FormCourse:
		return c.block(KindAsset, FormAsset, assetType, classID, path, classBID)
	case c.form == FormSlash:
		return oldBlock(KindAsset, FormC4x, c.Org(), c.Code(), assetType, path)
	}
	return key{}, fail(KindAsset, c.s, "an asset needs a course")
}

// WithBranch returns the key at a branch. The version is dropped, as it belonged to another branch. Slash courses
// cannot show a branch, and a version-only key names nothing that has branches: both are errors.
func (c Course) WithBranch(branch string) (Course, error) {
	k, err := c.withBranch(KindCourse, branch)
	return Course{k}, err
}

// WithoutBranch returns the key without branch, and, as WithBranch, without version. Version-only keys are refused.
func (c Course) WithoutBranch() (Course, error) {
	k, err := c.withoutBranch(KindCourse)
	return Course{k}, err
}

// WithVersion returns the key at a version, with its branch kept. Slash courses are refused.
func (c Course) WithVersion(v Version) (Course, error) {
	k, err := c.withVersion(KindCourse, v)
	return Course{k}, err
}

// WithoutVersion returns the key without version, with its branch kept. Version-only keys are refused.
func (c Course) WithoutVersion() (Course, error) {
	k, err := c.withoutVersion(KindCourse)
	return Course{k}, err
}

// VersionOnly returns the key that names nothing but the version; keys without one are refused.
func (c Course) VersionOnly() (Course, error) {
	k, err := c.versionOnly(KindCourse)
	return Course{k}, err
}

// Stored returns the key as database columns hold it, without branch and version. Version-only keys are refused.
func (c Course) Stored() (Course, error) {
	k, err := c.stored(KindCourse)
	return Course{k}, err
}

// Equal reports c == o.
func (c Course) Equal(o Course) bool { return c == o }

// Compare orders keys by organisation, code, run, branch and version, an absent field before any present one, then by
// form; no key comes first. The order is total, and not that of the texts (keys.md §3.3).
func (c Course) Compare(o Course) int { return compare(c.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (c *Course) UnmarshalText(b []byte) error { return c.unmarshal(KindCourse, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (c *Course) Scan(src any) error { return c.scanColumn(KindCourse, src) }

// Value returns the text of [Course.Stored] for a column, "" for no key. It refuses more than 255 characters.
func (c Course) Value() (driver.Value, error) { return c.column(KindCourse) }
