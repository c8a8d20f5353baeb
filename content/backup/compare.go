package backup

import (
	"context"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// Difference is one thing that two archives have differently: that of an entity, or of a collection, by its key, or with
// an empty key of the package.
type Difference struct {
	Key     string `json:"key"`
	Field   string `json:"field"`   // such as title, draft, version 3 children, version 3 static/a.png
	Archive string `json:"archive"` // what the first has, "" for nothing
	Found   string `json:"found"`   // what the second has
}

// Compare returns what two archives have differently, entities by their refs, then collections, and reads every file of
// both to do so. What is not content is not compared: names in the archive, who made it and when, the key of the package.
// Both must still be open.
func Compare(ctx context.Context, a, b *Plan) ([]Difference, error) {
	sum, err := blake2b.New256(nil)
	if err != nil {
		return nil, err
	}
	c := &comparer{ctx: ctx, a: a, b: b, sum: sum, buffer: make([]byte, 64<<10), list: []Difference{}}
	c.text("", "title", a.Title, b.Title)
	c.text("", "description", a.Description, b.Description)
	c.text("", "created", string(appendTime(nil, a.Created)), string(appendTime(nil, b.Created)))
	c.courses()
	if err := c.entities(); err != nil {
		return nil, err
	}
	c.collections()
	return c.list, nil
}

type comparer struct {
	ctx    context.Context
	a, b   *Plan
	sum    hash.Hash
	buffer []byte
	list   []Difference
}

func (c *comparer) text(key, field, a, b string) {
	if a != b {
		c.list = append(c.list, Difference{key, field, a, b})
	}
}

func (c *comparer) courses() {
	show := func(course *Course) string {
		if course == nil {
			return ""
		}
		return fmt.Sprintf("root %s, title %q, language %s", course.Root, course.Title, course.Language)
	}
	c.text("", "course", show(c.a.Course), show(c.b.Course))
}

const thereIs = "present"

func (c *comparer) entities() error {
	refs := make([]string, 0, len(c.a.entities))
	for ref := range c.a.byRef {
		refs = append(refs, ref)
	}
	for ref := range c.b.byRef {
		if _, ok := c.a.byRef[ref]; !ok {
			refs = append(refs, ref)
		}
	}
	slices.Sort(refs)
	for _, ref := range refs {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		i, inA := c.a.byRef[ref]
		j, inB := c.b.byRef[ref]
		switch {
		case !inB:
			c.text(ref, "entity", thereIs, "")
		case !inA:
			c.text(ref, "entity", "", thereIs)
		default:
			if err := c.entity(&c.a.entities[i], &c.b.entities[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *comparer) entity(a, b *entity) error {
	kind := func(e *entity) string {
		if e.isContainer() {
			return e.container
		}
		return e.component.String()
	}
	c.text(a.ref, "type", kind(a), kind(b))
	c.text(a.ref, "code", a.code, b.code)
	c.text(a.ref, "can_stand_alone", strconv.FormatBool(a.alone), strconv.FormatBool(b.alone))
	if !a.created.IsZero() { // else it was created when it was restored
		c.text(a.ref, "created", string(appendTime(nil, a.created)), string(appendTime(nil, b.created)))
	}
	c.text(a.ref, "draft", number(a.draft), number(b.draft))
	c.text(a.ref, "published", number(a.published), number(b.published))
	nums := map[int]bool{}
	for _, list := range [][]version{a.versions, b.versions} {
		for _, v := range list {
			nums[v.num] = true
		}
	}
	for _, num := range sortedNums(nums) {
		field := "version " + strconv.Itoa(num)
		v, w := a.at(num), b.at(num)
		switch {
		case w == nil:
			c.text(a.ref, field, thereIs, "")
		case v == nil:
			c.text(a.ref, field, "", thereIs)
		default:
			c.text(a.ref, field+" title", v.title, w.title)
			c.text(a.ref, field+" children", children(v), children(w))
			if err := c.files(a, b, v, w, field+" "); err != nil {
				return err
			}
		}
	}
	return nil
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func sortedNums(nums map[int]bool) []int {
	list := make([]int, 0, len(nums))
	for n := range nums {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

func children(v *version) string {
	list := slices.Clone(v.children)
	for k := range list {
		if v.pins != nil && v.pins[k] != 0 {
			list[k] += "@" + strconv.Itoa(v.pins[k])
		}
	}
	return strings.Join(list, " ")
}

// files compares the files of a version: how they are kept, and their bytes.
func (c *comparer) files(a, b *entity, v, w *version, field string) error {
	read := func(p *Plan, e *entity, v *version) (map[string]string, error) {
		list := p.settingsOf(e, v)
		if !e.isContainer() {
			list = p.filesOf(e, v)
		}
		out := make(map[string]string, len(list))
		for _, f := range list {
			digest, err := c.digest(p, f)
			if err != nil {
				return nil, err
			}
			kind := e.kind(v, f.path)
			out[f.path] = fmt.Sprintf("%d bytes, %s, in %s, blake2b %s", f.Size, kind.mime, kind.keep, digest)
		}
		return out, nil
	}
	x, err := read(c.a, a, v)
	if err != nil {
		return err
	}
	y, err := read(c.b, b, w)
	if err != nil {
		return err
	}
	paths := make([]string, 0, len(x))
	for path := range x {
		paths = append(paths, path)
	}
	for path := range y {
		if _, ok := x[path]; !ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		c.text(a.ref, field+path, x[path], y[path])
	}
	return nil
}

func (c *comparer) digest(p *Plan, f found) (string, error) {
	r := p.archive.open(f.Member)
	defer func() { _ = r.Close() }() // read to its end or given up: nothing is lost when closing fails
	c.sum.Reset()
	if _, err := io.CopyBuffer(c.sum, struct{ io.Reader }{r}, c.buffer); err != nil {
		return "", err
	}
	return hex.EncodeToString(c.sum.Sum(nil)[:16]), nil
}

func (c *comparer) collections() {
	by := func(p *Plan) map[string]*collection {
		out := make(map[string]*collection, len(p.collections))
		for i := range p.collections {
			out[p.collections[i].code] = &p.collections[i]
		}
		return out
	}
	a, b := by(c.a), by(c.b)
	codes := make([]string, 0, len(a))
	for code := range a {
		codes = append(codes, code)
	}
	for code := range b {
		if a[code] == nil {
			codes = append(codes, code)
		}
	}
	slices.Sort(codes)
	members := func(s *collection) string {
		list := slices.Clone(s.members)
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	for _, code := range codes {
		x, y := a[code], b[code]
		switch {
		case y == nil:
			c.text(code, "collection", thereIs, "")
		case x == nil:
			c.text(code, "collection", "", thereIs)
		default:
			c.text(code, "collection title", x.title, y.title)
			c.text(code, "collection description", x.description, y.description)
			c.text(code, "collection entities", members(x), members(y))
		}
	}
}
