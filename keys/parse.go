package keys

import "strings"

// read reads s as a key of a kind (keys.md §1.3), and returns why it cannot, "" if it can. After a refusal k is of no
// use. It allocates only for second spellings and asides. Parsers fill the key in place, as it is too large for
// registers and would be copied at every return.
func (k *key) read(kind Kind, s string) string {
	if len(s) > maxLen {
		return whyLong
	}
	colon := strings.IndexByte(s, ':')
	prefix := s[:max(colon, 0)]
	switch kind {
	case KindContext, KindCourse:
		if colon < 0 {
			return k.readSlash(s)
		}
		switch prefix {
		case "course-v1":
			return k.readCourseV1(s)
		case "library-v1":
			return k.readLegacyLibrary(s)
		case "slashes":
			return k.readSlashes(s)
		case "lib":
			if kind == KindContext {
				return k.readLibrary(s)
			}
			return "a library of today is a context, but no course"
		}
	case KindUsage, KindAsideUsage:
		switch prefix {
		case "aside-usage-v1":
			return k.readAside(s, FormAsideUsage1)
		case "aside-usage-v2":
			return k.readAside(s, FormAsideUsage2)
		}
		if kind == KindAsideUsage {
			break
		}
		switch prefix {
		case "block-v1":
			return k.readBlockV1(s)
		case "lb":
			return k.readLibraryBlock(s)
		case "i4x":
			return k.readOld(s, FormI4x, whyI4x)
		case "lib-block-v1":
			return k.readLegacyBlock(s)
		case "location":
			return k.readLocation(s)
		}
	case KindAsset:
		if prefix == "asset-v1" {
			return k.readAssetV1(s)
		}
		if strings.HasPrefix(s, forms[FormC4x].lead) {
			return k.readOld(s, FormC4x, whyC4x)
		}
	case KindDefinition, KindAsideDefinition:
		switch prefix {
		case "aside-def-v1":
			return k.readAside(s, FormAsideDefinition1)
		case "aside-def-v2":
			return k.readAside(s, FormAsideDefinition2)
		}
		if kind == KindAsideDefinition {
			break
		}
		switch prefix {
		case "def-v1":
			return k.readDefinitionV1(s)
		case "bundle-olx":
			return k.readBundle(s)
		}
	case KindBlockType:
		return k.readBlockType(s)
	case KindCollection:
		return k.readCollection(s)
	case KindContainer:
		return k.readContainer(s)
	}
	return whyPrefix
}

// parse makes k the key that s is; after an error it is no key.
func (k *key) parse(kind Kind, s string) error {
	if why := k.read(kind, s); why != "" {
		*k = key{}
		return fail(kind, s, why)
	}
	return nil
}

func parsed(kind Kind, s string) (k key, err error) {
	err = k.parse(kind, s)
	return k, err
}

func valid(kind Kind, s string) bool {
	var k key
	return k.read(kind, s) == ""
}

// Key is any of this package's kinds of key.
type Key interface {
	String() string
	Kind() Kind
	Form() Form
	Deprecated() bool
	IsZero() bool
}

// Parse reads a key of any kind, which its prefix tells (a slash, for the deprecated course form). A course or legacy
// library comes back as a [Course], a library of today as a [Context]. A bare block type has no prefix to be told by
// and is refused: only block-type-v1: makes a [BlockType] here.
func Parse(s string) (Key, error) {
	kind := kindOf(s)
	if kind == 0 {
		return nil, fail(0, s, "no known prefix, and not ORG/COURSE/RUN")
	}
	return kind.Parse(s)
}

// kindOf returns the kind of key that s claims to be.
func kindOf(s string) Kind {
	colon := strings.IndexByte(s, ':')
	switch {
	case strings.HasPrefix(s, forms[FormC4x].lead):
		return KindAsset
	case colon < 0 && strings.IndexByte(s, '/') >= 0:
		return KindCourse
	case colon < 0:
		return 0
	}
	switch s[:colon] {
	case "course-v1", "library-v1", "slashes":
		return KindCourse
	case "lib":
		return KindContext
	case "block-v1", "lib-block-v1", "lb", "location", "i4x", "aside-usage-v1", "aside-usage-v2":
		return KindUsage
	case "asset-v1":
		return KindAsset
	case "def-v1", "bundle-olx", "aside-def-v1", "aside-def-v2":
		return KindDefinition
	case "block-type-v1":
		return KindBlockType
	case "lib-collection":
		return KindCollection
	case "lct":
		return KindContainer
	}
	return 0
}

// Parse reads s as a key of kind k.
func (k Kind) Parse(s string) (Key, error) {
	raw, err := parsed(k, s)
	if err != nil {
		return nil, err
	}
	switch k {
	case KindContext:
		return Context{raw}, nil
	case KindCourse:
		return Course{raw}, nil
	case KindUsage, KindAsideUsage:
		return Usage{raw}, nil
	case KindAsset:
		return Asset{raw}, nil
	case KindDefinition, KindAsideDefinition:
		return Definition{raw}, nil
	case KindBlockType:
		return BlockType{raw}, nil
	case KindCollection:
		return Collection{raw}, nil
	}
	return Container{raw}, nil
}

// ParseKind returns the kind with a name such as "usage", and false if there is none.
func ParseKind(name string) (Kind, bool) {
	for k := KindContext; k <= KindAsideDefinition; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return 0, false
}
