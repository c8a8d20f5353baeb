package keys

// Kind is a kind of key: what a caller asks to parse (keys.md §1.1). The zero Kind is no kind.
type Kind uint8

// The kinds. AsideUsage and AsideDefinition are the parts of Usage and Definition that wrap another key.
const (
	KindContext Kind = iota + 1
	KindCourse
	KindUsage
	KindAsset
	KindDefinition
	KindBlockType
	KindCollection
	KindContainer
	KindAsideUsage
	KindAsideDefinition
)

var kindNames = [...]string{
	"", "context", "course", "usage", "asset", "definition", "block_type", "collection", "container", "aside_usage",
	"aside_definition",
}

// String returns the name of the kind, such as "block_type".
func (k Kind) String() string {
	if int(k) >= len(kindNames) {
		return ""
	}
	return kindNames[k]
}

// Form says how a key is written: which of the known texts it is (keys.md §1.2). The set is closed. The zero Form is
// that of no key.
type Form uint8

// The forms.
const (
	FormCourse           Form = iota + 1 // course-v1:ORG+COURSE+RUN
	FormSlash                            // ORG/COURSE/RUN, a deprecated course
	FormLegacyLibrary                    // library-v1:ORG+LIBRARY
	FormLibrary                          // lib:ORG:SLUG
	FormBlock                            // block-v1:ORG+COURSE+RUN+type@TYPE+block@ID
	FormI4x                              // i4x://ORG/COURSE/TYPE/ID, deprecated
	FormLegacyBlock                      // lib-block-v1:ORG+LIBRARY+type@TYPE+block@ID
	FormLibraryBlock                     // lb:ORG:SLUG:TYPE:ID
	FormLocation                         // location:ORG+COURSE+RUN+TYPE+ID
	FormAsset                            // asset-v1:ORG+COURSE+RUN+type@TYPE+block@PATH
	FormC4x                              // /c4x/ORG/COURSE/TYPE/PATH, deprecated
	FormDefinition                       // def-v1:ID+type@TYPE
	FormBundle                           // bundle-olx:UUID:VERSION:TYPE:PATH
	FormBlockType                        // block-type-v1:FAMILY:TYPE
	FormBareType                         // a bare block type of family xblock.v1, deprecated
	FormCollection                       // lib-collection:ORG:SLUG:ID
	FormContainer                        // lct:ORG:SLUG:TYPE:ID
	FormAsideUsage1                      // aside-usage-v1:USAGE::ASIDE
	FormAsideUsage2                      // aside-usage-v2:USAGE::ASIDE
	FormAsideDefinition1                 // aside-def-v1:DEFINITION::ASIDE
	FormAsideDefinition2                 // aside-def-v2:DEFINITION::ASIDE
	numForms
)

// forms says of each form what its texts begin with (the fields follow at once), its name and whether it is deprecated.
var forms = [numForms]struct {
	lead, name string
	deprecated bool
}{
	FormCourse:           {"course-v1:", "course-v1", false},
	FormSlash:            {"", "slash", true},
	FormLegacyLibrary:    {"library-v1:", "library-v1", false},
	FormLibrary:          {"lib:", "lib", false},
	FormBlock:            {"block-v1:", "block-v1", false},
	FormI4x:              {"i4x://", "i4x", true},
	FormLegacyBlock:      {"lib-block-v1:", "lib-block-v1", false},
	FormLibraryBlock:     {"lb:", "lb", false},
	FormLocation:         {"location:", "location", false},
	FormAsset:            {"asset-v1:", "asset-v1", false},
	FormC4x:              {"/c4x/", "c4x", true},
	FormDefinition:       {"def-v1:", "def-v1", false},
	FormBundle:           {"bundle-olx:", "bundle-olx", false},
	FormBlockType:        {"block-type-v1:", "block-type-v1", false},
	FormBareType:         {"", "block-type", true},
	FormCollection:       {"lib-collection:", "lib-collection", false},
	FormContainer:        {"lct:", "lct", false},
	FormAsideUsage1:      {"aside-usage-v1:", "aside-usage-v1", false},
	FormAsideUsage2:      {"aside-usage-v2:", "aside-usage-v2", false},
	FormAsideDefinition1: {"aside-def-v1:", "aside-def-v1", false},
	FormAsideDefinition2: {"aside-def-v2:", "aside-def-v2", false},
}

// String returns the short name of the form: its prefix without the colon where it has one, else "slash", "i4x", "c4x"
// or "block-type". That of no key is "".
func (f Form) String() string {
	if f >= numForms {
		return ""
	}
	return forms[f].name
}

// Deprecated reports whether the form is one of the old ones without a prefix (keys.md §1.2).
func (f Form) Deprecated() bool { return f < numForms && forms[f].deprecated }

func (f Form) aside() bool { return f >= FormAsideUsage1 && f <= FormAsideDefinition2 }
