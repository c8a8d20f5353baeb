package keys

// Info is a key taken apart, for programs to read: a field that the key does not have is nil.
type Info struct {
	Kind       string  `json:"kind"`       // the name of the [Kind]
	Org        *string `json:"org"`        // organisation
	Course     *string `json:"course"`     // course code, code of a legacy library, or slug of a library
	Run        *string `json:"run"`        // run of a course; may be ""
	Type       *string `json:"type"`       // type of the block, asset, definition or container
	ID         *string `json:"id"`         // id of the block, path of the asset, id of the definition, container or collection
	Branch     *string `json:"branch"`     // branch, revision, or draft of a bundle
	Version    *string `json:"version"`    // 24 hexadecimal digits, or the version of a bundle
	Deprecated bool    `json:"deprecated"` // an old form without a prefix
	Canonical  string  `json:"canonical"`  // the text that the key prints
}

// Describe takes a key apart. For an aside the fields are those of what it wraps.
func Describe(k Key) Info {
	i := Info{Kind: k.Kind().String(), Deprecated: k.Deprecated(), Canonical: k.String()}
	switch k := k.(type) {
	case Context:
		i.fields(k.key)
	case Course:
		i.fields(k.key)
	case Usage:
		i.fields(k.base())
	case Asset:
		i.fields(k.key)
	case Collection:
		i.fields(k.key)
	case Container:
		i.fields(k.key)
	case Definition:
		i.Type, i.ID = present(k.Type(), k.Type() != ""), present(k.ID(), k.ID() != "")
		i.Version, i.Branch = present(k.BundleVersion()), present(k.Draft())
	case BlockType:
		i.Type = present(k.Type(), true)
	}
	return i
}

func (i *Info) fields(k key) {
	i.Org, i.Course = present(k.orgText(), k.org != 0), present(k.code(), k.crs != 0)
	i.Type, i.ID = present(k.typeText(), k.typ != 0), present(k.idText(), k.id != 0)
	i.Run, i.Branch, i.Version = present(k.runText()), present(k.branchText()), present(k.versionText())
}

func present(s string, ok bool) *string {
	if !ok {
		return nil
	}
	return &s
}
