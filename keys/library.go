package keys

import "database/sql/driver"

// Collection names a collection of a library: lib-collection:ORG:SLUG:ID. The zero Collection is no key. Safe for
// concurrent use.
type Collection struct{ key }

// ParseCollection reads the key of a collection.
func ParseCollection(s string) (k Collection, err error) {
	err = k.parse(KindCollection, s)
	return k, err
}

// ValidCollection reports whether [ParseCollection] accepts s, without making an error.
func ValidCollection(s string) bool { return valid(KindCollection, s) }

// Kind returns KindCollection.
func (c Collection) Kind() Kind { return KindCollection }

// Org returns the organisation of the library.
func (c Collection) Org() string { return c.orgText() }

// Slug returns the slug of the library.
func (c Collection) Slug() string { return c.code() }

// ID returns the id of the collection in its library.
func (c Collection) ID() string { return c.idText() }

// Library returns the key of the library, lib:ORG:SLUG. It allocates.
func (c Collection) Library() Context {
	k, _ := c.context()
	return Context{k}
}

// Equal reports c == o.
func (c Collection) Equal(o Collection) bool { return c == o }

// Compare orders keys by organisation, slug and id; no key comes first. The order is total.
func (c Collection) Compare(o Collection) int { return compare(c.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (c *Collection) UnmarshalText(b []byte) error { return c.unmarshal(KindCollection, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (c *Collection) Scan(src any) error { return c.scanColumn(KindCollection, src) }

// Value returns the text of the key for a column, "" for no key. It refuses more than 255 characters.
func (c Collection) Value() (driver.Value, error) { return c.column(KindCollection) }

// Container names a container of a library, such as a unit: lct:ORG:SLUG:TYPE:ID. The zero Container is no key. Safe for
// concurrent use.
type Container struct{ key }

// ParseContainer reads the key of a container.
func ParseContainer(s string) (k Container, err error) {
	err = k.parse(KindContainer, s)
	return k, err
}

// ValidContainer reports whether [ParseContainer] accepts s, without making an error.
func ValidContainer(s string) bool { return valid(KindContainer, s) }

// Kind returns KindContainer.
func (c Container) Kind() Kind { return KindContainer }

// Org returns the organisation of the library.
func (c Container) Org() string { return c.orgText() }

// Slug returns the slug of the library.
func (c Container) Slug() string { return c.code() }

// Type returns the type of container, such as "unit".
func (c Container) Type() string { return c.typeText() }

// ID returns the id of the container in its library.
func (c Container) ID() string { return c.idText() }

// Library returns the key of the library, lib:ORG:SLUG. It allocates.
func (c Container) Library() Context {
	k, _ := c.context()
	return Context{k}
}

// Equal reports c == o.
func (c Container) Equal(o Container) bool { return c == o }

// Compare orders keys by organisation, slug, type and id; no key comes first. The order is total.
func (c Container) Compare(o Container) int { return compare(c.key, o.key) }

// UnmarshalText reads a key; an empty text is the zero key.
func (c *Container) UnmarshalText(b []byte) error { return c.unmarshal(KindContainer, b) }

// Scan reads a text column; NULL and "" are the zero key, and text that ends in LF loses its trailing white space.
func (c *Container) Scan(src any) error { return c.scanColumn(KindContainer, src) }

// Value returns the text of the key for a column, "" for no key. It refuses more than 255 characters.
func (c Container) Value() (driver.Value, error) { return c.column(KindContainer) }
