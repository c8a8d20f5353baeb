package authzapi

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/user"
)

// person is who a list shows, with the texts in lower case that it is searched and ordered by.
type person struct {
	user.Person
	username, name, email string
	ranks                 [3]int32 // of those who are kept: place among all by each of personTexts, equal for equal texts
}

// personTexts are what people can be ordered by.
var personTexts = []string{"username", "full_name", "email"}

func lowered(p user.Person) *person {
	return &person{Person: p, username: strings.ToLower(p.Username), name: strings.ToLower(p.Name), email: strings.ToLower(p.Email)}
}

// matches reports whether a search term in lower case is in one of the texts (authz.md §12.3, §12.8, §12.11).
func (p *person) matches(term string) bool {
	return term == "" || strings.Contains(p.username, term) || strings.Contains(p.name, term) || strings.Contains(p.email, term)
}

// key returns the text to order people by.
func (p *person) key(by string) string {
	switch by {
	case "full_name":
		return p.name
	case "email":
		return p.email
	}
	return p.username
}

// fewPeople is up to how many people are read from the database for each request, in one statement. Of more, the order
// and the search go by what was read a short while ago (see recent), and what a page shows is compared with the database.
const fewPeople = 500

// everyone is all people, by name, as they were at one time.
type everyone struct{ by map[string]*person }

// readPeople reads everybody. Where they are as they were the last time it returns what it did then, by which those who
// keep what follows from it see that it does still. Its function is called by one goroutine at a time.
func readPeople(store *db.DB) func(context.Context) (*everyone, error) {
	last := &everyone{}
	return func(ctx context.Context) (*everyone, error) {
		read := make([]user.Person, 0, len(last.by))
		same := 0
		err := user.EachPerson(ctx, store, func(p user.Person) error {
			read = append(read, p)
			if was := last.by[p.Username]; was != nil && was.Person == p {
				same++
			}
			return nil
		})
		if err != nil || same == len(read) && same == len(last.by) {
			return last, err
		}
		all := make(map[string]*person, len(read))
		for _, p := range read {
			all[p.Username] = lowered(p)
		}
		list := slices.Collect(maps.Values(all))
		for i, by := range personTexts {
			slices.SortFunc(list, func(a, b *person) int { return strings.Compare(a.key(by), b.key(by)) })
			for n, p := range list {
				p.ranks[i] = int32(n)
				if n > 0 && p.key(by) == list[n-1].key(by) {
					p.ranks[i] = list[n-1].ranks[i]
				}
			}
		}
		last = &everyone{all}
		return last, nil
	}
}

// directory is the people that a request may need, by name.
type directory struct {
	people map[string]*person
	kept   bool      // not read for this request
	all    *everyone // of those who are kept
	whole  bool      // all whom the request may need are in it
}

// peopleOf returns the people of these names; names of nobody are absent.
func (c *call) peopleOf(names []string) (directory, error) {
	if len(names) <= fewPeople {
		return c.readNamed(names)
	}
	all, err := c.people.get(c.ctx)
	if err != nil {
		return directory{}, err
	}
	var missing []string // made since; of more than a few the next reading will know
	for _, n := range names {
		if all.by[n] == nil && len(missing) < fewPeople {
			missing = append(missing, n)
		}
	}
	d := directory{people: all.by, kept: true, all: all, whole: len(missing) == 0}
	if d.whole {
		return d, nil
	}
	late, err := c.readNamed(missing)
	if err != nil || len(late.people) == 0 {
		return d, err
	}
	all, err = c.people.again(c.ctx)
	if err != nil {
		return directory{}, err
	}
	return directory{people: all.by, kept: true, all: all}, nil
}

func (c *call) readNamed(names []string) (directory, error) {
	found, err := user.People(c.ctx, c.db, names)
	d := directory{people: make(map[string]*person, len(found))}
	for name, p := range found {
		d.people[name] = lowered(p)
	}
	return d, err
}

// holds reports whether the people that a page shows are in the database as they are in the directory.
func (d directory) holds(c *call, shown []*person) (bool, error) {
	if !d.kept || len(shown) == 0 {
		return true, nil
	}
	names := make([]string, len(shown))
	for i, p := range shown {
		names[i] = p.Username
	}
	now, err := user.People(c.ctx, c.db, names)
	if err != nil {
		return false, err
	}
	for _, p := range shown {
		if now[p.Username] != p.Person {
			return false, nil
		}
	}
	return true, nil
}

// stranger is somebody of whom only the name is told.
func stranger(name string) *person {
	return &person{Person: user.Person{Username: name}, username: strings.ToLower(name)}
}
