package conformance

import (
	"context"
	"fmt"

	"github.com/openlectern/lectern/content/components"
	"github.com/openlectern/lectern/content/containers"
	"github.com/openlectern/lectern/content/media"
	"github.com/openlectern/lectern/content/publishing"
)

func (s *stage) bareVersion(ctx context.Context, st step, by publishing.UserID) error {
	found, err := s.find(ctx, append([]string{st.Entity}, st.Deps...)...)
	if err != nil {
		return err
	}
	n := publishing.NewVersion{Entity: found[0].ID, Num: st.Num, Title: *st.Title}
	for _, e := range found[1:] {
		n.Dependencies = append(n.Dependencies, e.ID)
	}
	return s.in(ctx, found[0].Package, by, func(c *publishing.ChangeSet) error {
		_, _, err := c.CreateVersions(ctx, []publishing.NewVersion{n})
		return err
	})
}

// mediaOf stores the contents of a step and returns them as files; a null content drops its path.
func (s *stage) mediaOf(ctx context.Context, pkg publishing.PackageID, st step) ([]components.File, error) {
	p, err := publishing.PackageByID(ctx, s.tx, pkg)
	if err != nil {
		return nil, err
	}
	var files []components.File
	for path, text := range st.Media {
		if text == nil {
			files = append(files, components.File{Path: path})
			continue
		}
		made, err := media.GetOrCreate(ctx, s.tx, s.files, p,
			[]media.New{{Type: media.TypeByExtension(path), Bytes: []byte(*text)}}, media.Options{Created: s.now})
		if err != nil {
			return nil, err
		}
		files = append(files, components.File{Path: path, Media: made[0].ID})
	}
	return files, nil
}

func (s *stage) component(ctx context.Context, st step, by publishing.UserID) error {
	p, err := s.pkg(ctx, s.tx, st.Pkg)
	if err != nil {
		return err
	}
	ids, err := components.Create(ctx, s.tx, p.ID, []components.NewComponent{{
		Type: components.Type{Namespace: "xblock.v1", Name: st.Type}, Code: st.Code, Created: s.now, By: by,
	}})
	if err != nil || st.Title == nil {
		return err
	}
	files, err := s.mediaOf(ctx, p.ID, st)
	if err != nil {
		return err
	}
	return s.in(ctx, p.ID, by, func(c *publishing.ChangeSet) error {
		_, _, err := components.CreateVersions(ctx, c, []components.NewVersion{{Entity: ids[0], Num: 1, Title: *st.Title, Files: files, By: by}})
		return err
	})
}

func (s *stage) componentVersion(ctx context.Context, st step, by publishing.UserID) error {
	found, err := s.find(ctx, st.Entity)
	if err != nil {
		return err
	}
	files, err := s.mediaOf(ctx, found[0].Package, st)
	if err != nil {
		return err
	}
	return s.in(ctx, found[0].Package, by, func(c *publishing.ChangeSet) error {
		_, _, err := components.NextVersions(ctx, c, []components.NextVersion{{Entity: found[0].ID, Num: st.Num, Title: st.Title, Files: files, By: by}})
		return err
	})
}

// children resolves the children of a step.
func (s *stage) children(ctx context.Context, st step) ([]containers.Child, error) {
	if st.Children == nil {
		return nil, nil
	}
	refs := make([]string, len(*st.Children))
	for i, c := range *st.Children {
		refs[i] = c.Entity
	}
	found, err := s.find(ctx, refs...)
	if err != nil {
		return nil, err
	}
	list := make([]containers.Child, len(found))
	for i, e := range found {
		list[i].Entity = e.ID
		if pin := (*st.Children)[i].Pin; pin != 0 {
			v, err := publishing.VersionByNum(ctx, s.tx, e.ID, pin)
			if err != nil {
				return nil, err
			}
			list[i].Pin = v.ID
		}
	}
	return list, nil
}

func (s *stage) container(ctx context.Context, st step, by publishing.UserID) error {
	p, err := s.pkg(ctx, s.tx, st.Pkg)
	if err != nil {
		return err
	}
	ids, err := containers.Create(ctx, s.tx, p.ID, []containers.NewContainer{{Type: st.Kind, Code: st.Code, Created: s.now, By: by}})
	if err != nil || st.Title == nil {
		return err
	}
	children, err := s.children(ctx, st)
	if err != nil {
		return err
	}
	return s.in(ctx, p.ID, by, func(c *publishing.ChangeSet) error {
		_, _, err := containers.CreateVersions(ctx, c, []containers.NewVersion{{Entity: ids[0], Num: 1, Title: *st.Title, Children: children, By: by}})
		return err
	})
}

func (s *stage) containerVersion(ctx context.Context, st step, by publishing.UserID) error {
	found, err := s.find(ctx, st.Entity)
	if err != nil {
		return err
	}
	children, err := s.children(ctx, st)
	if err != nil {
		return err
	}
	n := containers.NextVersion{Entity: found[0].ID, Num: st.Num, Title: st.Title, Children: children, By: by}
	if st.Children != nil {
		action, ok := map[string]containers.Action{"": containers.Replace, "replace": containers.Replace, "append": containers.Append, "remove": containers.Remove}[st.Action]
		if !ok {
			return fmt.Errorf("no action %s", st.Action)
		}
		n.Action = action
	}
	return s.in(ctx, found[0].Package, by, func(c *publishing.ChangeSet) error {
		_, _, err := containers.NextVersions(ctx, c, []containers.NextVersion{n})
		return err
	})
}
