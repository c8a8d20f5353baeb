package definitions

import (
	"slices"
)

// wish is what one file's extensions want of one field of a role, or of one permission of it.
type wish struct {
	file  *File
	value any
}

// extend applies the extensions of all files (authz.md §16.4): of wishes about one thing the one with the highest priority
// counts. Wishes of equal priority that differ are a problem; those that lose, or change nothing, are warned of.
func (c *compiler) extend(files []*File) {
	wishes := map[string]map[string][]wish{} // by role and thing
	add := func(f *File, role, thing string, value any) {
		if wishes[role] == nil {
			wishes[role] = map[string][]wish{}
		}
		wishes[role][thing] = append(wishes[role][thing], wish{f, value})
	}
	for _, f := range files {
		for _, x := range f.Extensions {
			for _, id := range x.Add {
				add(f, x.Role, id, true)
			}
			for _, id := range x.Remove {
				add(f, x.Role, id, false)
			}
			for thing, v := range map[string]*string{displayName: x.Name, description: x.Description, icon: x.Icon} {
				if v != nil {
					add(f, x.Role, thing, *v)
				}
			}
			if x.Hidden != nil {
				add(f, x.Role, hidden, *x.Hidden)
			}
		}
	}
	for i := range c.Roles {
		r := &c.Roles[i]
		changed := false
		for _, thing := range sortedKeys(wishes[r.ID]) {
			won, ok := c.choose(r.ID, thing, wishes[r.ID][thing])
			if ok {
				changed = c.grant(r, thing, won) || changed
			}
		}
		if changed {
			slices.Sort(r.Permissions)
		}
	}
}

// Things of a role that an extension changes, apart from permissions, which have a dot in their names.
const (
	displayName = "display_name"
	description = "description"
	icon        = "icon"
	hidden      = "hidden"
)

// choose returns the wishes that count, which agree.
func (c *compiler) choose(role, thing string, all []wish) (won []wish, ok bool) {
	top := all[0].file.Priority
	for _, w := range all {
		top = max(top, w.file.Priority)
	}
	for _, w := range all {
		if w.file.Priority == top {
			won = append(won, w)
		}
	}
	for _, w := range won[1:] {
		if w.value != won[0].value {
			c.wrong(w.file, "of role %s, %s is wanted in another way in %s with the same priority %d", role, thing, won[0].file.Path, top)
			return nil, false
		}
	}
	for _, w := range all {
		if w.file.Priority < top {
			c.warn(w.file, "of role %s, what is wanted of %s does not count: %s has priority %d", role, thing, won[0].file.Path, top)
		}
	}
	return won, true
}

// grant carries out wishes about one thing, and reports whether the role's permissions changed.
func (c *compiler) grant(r *Role, thing string, won []wish) bool {
	value := won[0].value
	switch thing {
	case displayName:
		r.Name = value.(string)
		return false
	case description:
		r.Description = value.(string)
		return false
	case icon:
		r.Icon = value.(string)
		return false
	case hidden:
		r.Hidden = value.(bool)
		return false
	}
	has := slices.Contains(r.Permissions, thing)
	switch add := value.(bool); {
	case add && has:
		c.warn(won[0].file, "role %s has permission %s without the extension", r.ID, thing)
		return false
	case !add && !has:
		c.warn(won[0].file, "role %s does not have permission %s, which the extension removes", r.ID, thing)
		return false
	case add:
		r.Permissions = append(r.Permissions, thing)
		for _, w := range won {
			addOrigin(c.grants[r.ID], thing, Origin{Source: w.file.Source, Extension: true, Priority: w.file.Priority})
		}
	default:
		r.Permissions = slices.DeleteFunc(r.Permissions, func(p string) bool { return p == thing })
		delete(c.grants[r.ID], thing)
	}
	return true
}
