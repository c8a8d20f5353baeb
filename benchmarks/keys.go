package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"unicode/utf8"

	"github.com/openlectern/lectern/keys"
)

// keyWork is one key to parse by the function of its kind.
type keyWork struct {
	kind  keys.Kind
	input string
}

// benchKeys parses and prints n keys, the accepted lines of the golden file over and over (job 1).
func benchKeys(b *bench) error {
	all, err := os.ReadFile(b.golden)
	if err != nil {
		return err
	}
	var base []keyWork
	for line := range bytes.Lines(all) {
		w, ok, err := accepted(line)
		if err != nil {
			return fmt.Errorf("%s: %w", b.golden, err)
		}
		if ok {
			base = append(base, w)
		}
	}
	if len(base) == 0 {
		return fmt.Errorf("%s: no keys", b.golden)
	}
	work := make([]keyWork, b.n)
	for i := range work {
		work[i] = base[i%len(base)]
	}
	sum := 0
	l, err := b.measure("keys", b.n, func(context.Context) error {
		for _, w := range work {
			s, err := parsePrint(w.kind, w.input)
			if err != nil {
				return fmt.Errorf("%q: %w", w.input, err)
			}
			sum += len(s)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, w := range work { // again, as counting characters takes as long as parsing
		s, err := parsePrint(w.kind, w.input)
		if err != nil {
			return err
		}
		sum -= len(s)
		l.Check += utf8.RuneCountInString(s)
	}
	if sum != 0 {
		return fmt.Errorf("the same keys printed %d bytes less the second time", sum)
	}
	return nil
}

// accepted reads a line of the golden file; ok is false for keys that the reference refuses.
func accepted(line []byte) (w keyWork, ok bool, err error) {
	var row struct {
		Kind, Input string
		Canonical   *string
		OK          bool
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return w, false, err
	}
	kind, known := keys.ParseKind(row.Kind)
	return keyWork{kind, row.Input}, row.OK && row.Canonical != nil && known, nil
}

// parsePrint returns the printed key.
func parsePrint(kind keys.Kind, s string) (string, error) {
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
	return "", fmt.Errorf("no parser for keys of kind %v", kind)
}

func printed[K interface{ String() string }](k K, err error) (string, error) {
	return k.String(), err
}
