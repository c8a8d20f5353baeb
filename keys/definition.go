package keys

import "database/sql/driver"

// Definition names stored content apart from where it is used: def-v1:…, bundle-olx:… of a retired store, or an aside
// around either. The zero Definition is no key. Safe for concurrent use.
//
// The field accessors of an aside are those of the definition it wraps; they decode it each time, and so allocate.
type Definition struct{ key }

// ParseDefinition reads the key of a definition or of an aside of one.
func ParseDefinition(s string) (k Definition, err error) {
	err = k.parse(KindDefinition, s)
	return k, err
}

// ValidDefinition reports whether [ParseDefinition] accepts s, without making an error.
func ValidDefinition(s string) bool { return valid(KindDefinition, s) }

// ParseAsideDefinition reads the key of an aside, and refuses those of plain definitions.
func ParseAsideDefinition(s string) (k Definition, err error) {
	err = k.parse(KindAsideDefinition, s)
	return k, err
}

// ValidAsideDefinition reports whether [ParseAsideDefinition] accepts s, without making an error.
func ValidAsideDefinition(s string) bool { return valid(KindAsideDefinition, s) }

// NewDefinition returns def-v1:id+type@blockType.
func NewDefinition(id Version, blockType string) (Definition, error) {
	return ParseDefinition(forms[FormDefinition].lead + id.String() + "+type@" + blockType)
}

// Kind returns KindAsideDefinition for asides, else KindDefinition.
func (d Definition) Kind() Kind {
	if d.IsAside() {
		return KindAsideDefinition
	}
	return KindDefinition
}

// ID returns the 24 hexadecimal digits of a definition, or the UUID of a bundle.
func (d Definition) ID() string {
	k := d.base()
	if k.id == 0 {
		return ""
	}
	return k.s[k.body():k.id]
}

// Type returns the block type.
func (d Definition) Type() string {
	k := d.base()
	switch k.form {
	case FormDefinition:
		return k.s[int(k.id)+len("+type@") : k.typ]
	case FormBundle:
		return k.s[k.ver+1 : k.typ]
	}
	return ""
}

// Path returns the path of the OLX file in a bundle, "" for other definitions. Never use it as a file path.
func (d Definition) Path() string { return d.base().bundlePath() }

func (k key) bundlePath() string {
	if k.form != FormBundle {
		return ""
	}
	return k.s[k.typ+1 : k.crs]
}

// BundleVersion returns the version of a bundle, a decimal number without bound, and false for drafts and for other
// definitions.
func (d Definition) BundleVersion() (string, bool) {
	v, ok := d.base().bundleVersion()
	if !ok || !integer(v) {
		return "", false
	}
	return v, true
}

// Draft returns the name of the draft of a bundle, and false for versions and for other definitions.
func (d Definition) Draft() (string, bool) {
	v, ok := d.base().bundleVersion()
	if !ok || integer(v) {
		return "", false
	}
	return v, true
}

// bundleVersion returns the version or draft of a bundle.
func (k key) bundleVersion() (string, bool) {
	if k.form != FormBundle {
		return "", false
	}
	return k.s[k.id+1 : k.ver], true
}

// IsAside reports whether this is the key of an aside.
func (d Definition) IsAside() bool { return d.form.aside() }

// Aside returns the key of an aside of this definition, in version 2, the one to write (keys.md §4).
func (d Definition) Aside(asideType string) (Definition, error) {
	k, err := d.wrap(FormAsideDefinition2, asideType)
	return Definition{k}, err
}

// Inner returns the key that an aside is about, and an error for other keys. It allocates.
func (d Definition) Inner() (Definition, error) {
	if !d.form.aside() {
		return Definition{}, fail(KindAsideDefinition, d.s, "not an aside")
	}
	return Definition{d.inner()}, nil
}

// AsideType returns the type of an aside, which may be "", and false for other keys.
func (d Definition) AsideType() (string, bool) { return d.asideType() }

// Equal reports d == o.
func (d Definition) Equal(o Definition) bool { return d == o }

// Compare orders keys by id, type, path and version, an absent field before any present one and versions before drafts,
// then by form; no key comes first and asides last, by what they wrap. The order is total.
func (d Definition) Compare(o Definition) int { return compare(d.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (d *Definition) UnmarshalText(b []byte) error { return d.unmarshal(KindDefinition, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (d *Definition) Scan(src any) error { return d.scanColumn(KindDefinition, src) }

// Value returns the text of the key for a column, as [Usage.Value].
func (d Definition) Value() (driver.Value, error) { return d.column(KindDefinition) }
