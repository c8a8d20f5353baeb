package keys_test

import (
	"database/sql/driver"
	"errors"
	"reflect"
	"testing"

	"github.com/openlectern/lectern/keys"
)

// allKinds are the kinds that have a parser.
var allKinds = []keys.Kind{
	keys.KindContext, keys.KindCourse, keys.KindUsage, keys.KindAsset, keys.KindDefinition, keys.KindBlockType,
	keys.KindCollection, keys.KindContainer, keys.KindAsideUsage, keys.KindAsideDefinition,
}

// valid is the Valid function of a kind.
func valid(kind keys.Kind, s string) bool {
	switch kind {
	case keys.KindContext:
		return keys.ValidContext(s)
	case keys.KindCourse:
		return keys.ValidCourse(s)
	case keys.KindUsage:
		return keys.ValidUsage(s)
	case keys.KindAsset:
		return keys.ValidAsset(s)
	case keys.KindDefinition:
		return keys.ValidDefinition(s)
	case keys.KindBlockType:
		return keys.ValidBlockType(s)
	case keys.KindCollection:
		return keys.ValidCollection(s)
	case keys.KindContainer:
		return keys.ValidContainer(s)
	case keys.KindAsideUsage:
		return keys.ValidAsideUsage(s)
	case keys.KindAsideDefinition:
		return keys.ValidAsideDefinition(s)
	}
	return false
}

// parsePrint parses with the function of a kind and returns the length printed, -1 when it is refused.
func parsePrint(kind keys.Kind, s string) int {
	switch kind {
	case keys.KindContext:
		return printed(keys.ParseContext(s))
	case keys.KindCourse:
		return printed(keys.ParseCourse(s))
	case keys.KindUsage:
		return printed(keys.ParseUsage(s))
	case keys.KindAsset:
		return printed(keys.ParseAsset(s))
	case keys.KindDefinition:
		return printed(keys.ParseDefinition(s))
	case keys.KindBlockType:
		return printed(keys.ParseBlockType(s))
	case keys.KindCollection:
		return printed(keys.ParseCollection(s))
	case keys.KindContainer:
		return printed(keys.ParseContainer(s))
	case keys.KindAsideUsage:
		return printed(keys.ParseAsideUsage(s))
	case keys.KindAsideDefinition:
		return printed(keys.ParseAsideDefinition(s))
	}
	return -1
}

func printed[K interface{ String() string }](k K, err error) int {
	if err != nil {
		return -1
	}
	return len(k.String())
}

// compareKeys is Compare of two keys of one kind.
func compareKeys(a, b keys.Key) int {
	switch a := a.(type) {
	case keys.Context:
		return a.Compare(b.(keys.Context))
	case keys.Course:
		return a.Compare(b.(keys.Course))
	case keys.Usage:
		return a.Compare(b.(keys.Usage))
	case keys.Asset:
		return a.Compare(b.(keys.Asset))
	case keys.Definition:
		return a.Compare(b.(keys.Definition))
	case keys.BlockType:
		return a.Compare(b.(keys.BlockType))
	case keys.Collection:
		return a.Compare(b.(keys.Collection))
	}
	return a.(keys.Container).Compare(b.(keys.Container))
}

// stored returns what Stored makes of a key; kinds without branches are their own.
func stored(k keys.Key) (keys.Key, error) {
	switch k := k.(type) {
	case keys.Context:
		return k.Stored()
	case keys.Course:
		return k.Stored()
	case keys.Usage:
		return k.Stored()
	case keys.Asset:
		return k.Stored()
	}
	return k, nil
}

// scanned reads a column value as a key of the type of like.
func scanned(t testing.TB, like keys.Key, v any) (keys.Key, error) {
	p := reflect.New(reflect.TypeOf(like))
	err := p.Interface().(interface{ Scan(any) error }).Scan(v)
	return p.Elem().Interface().(keys.Key), err
}

// store writes the column value of a key into m and checks that the column gives the stored key back.
func store(t testing.TB, k keys.Key, m map[string]string) {
	t.Helper()
	v, err := k.(driver.Valuer).Value()
	if err != nil {
		if !errors.Is(err, keys.ErrInvalid) {
			t.Errorf("%v: Value: %v", k, err)
		}
		m["db_error"] = "refused"
		return
	}
	m["db"] = v.(string)
	want, err := stored(k)
	if err != nil {
		t.Errorf("%v: Value %q, yet Stored fails: %v", k, v, err)
		return
	}
	for _, v := range []any{v, []byte(v.(string))} {
		if got, err := scanned(t, k, v); err != nil || got != want {
			t.Errorf("%v: Scan(%q) = %#v, %v, want %#v", k, v, got, err, want)
		}
	}
}
