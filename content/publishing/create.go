package publishing

import (
	"context"
	"fmt"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
)

// NewVersion describes a version to create. Num 0 takes the entity's highest number plus one. Dependencies are a set:
// order and duplicates do not matter. Created and By are the change set's unless set.
type NewVersion struct {
	Entity       EntityID
	Num          int
	Title        string
	Dependencies []EntityID
	Created      time.Time
	By           UserID
}

// CreateVersions creates versions, each of which becomes the draft of its entity, even where its number is lower than
// the present one's. It returns their ids and numbers, aligned. A number taken is fault.Conflict; an entity or
// dependency of another package is fault.Invalid, an unknown one fault.NotFound.
func (c *ChangeSet) CreateVersions(ctx context.Context, list []NewVersion) ([]VersionID, []int, error) {
	if c.closed {
		return nil, nil, errClosed
	}
	if len(list) == 0 {
		return nil, nil, nil
	}
	entities := make([]EntityID, len(list))
	deps := make([][]EntityID, len(list))
	var named []EntityID
	rows := 0
	for i := range list {
		n := &list[i]
		entities[i] = n.Entity
		if n.Num < 0 {
			return nil, nil, fault.Errorf(fault.Invalid, fmt.Sprintf("version number %d", n.Num), "is negative")
		}
		if err := checkText("version title", n.Title, maxTitle); err != nil {
			return nil, nil, err
		}
		if len(n.Dependencies) > 0 {
			deps[i] = unique(n.Dependencies)
			rows += len(deps[i])
			named = append(named, deps[i]...)
		}
	}
	if err := c.u.load(ctx, c.tx, entities); err != nil {
		return nil, nil, err
	}
	if err := c.u.locate(ctx, c.tx, named); err != nil {
		return nil, nil, err
	}
	if err := c.own(entities, "entity %d belongs to another learning package"); err != nil {
		return nil, nil, err
	}
	if err := c.own(named, "entity %d belongs to another learning package: dependencies must be from the same one"); err != nil {
		return nil, nil, err
	}

	nums := make([]int, len(list))
	for i := range list {
		st := c.u.states[list[i].Entity]
		nums[i] = list[i].Num
		if nums[i] == 0 {
			nums[i] = st.latest + 1
		}
		st.latest = max(st.latest, nums[i])
	}
	ids, err := c.insertVersions(ctx, list, nums)
	if err != nil {
		return nil, nil, err
	}
	if rows > 0 {
		if err := c.insertDependencies(ctx, ids, deps, rows); err != nil {
			return nil, nil, err
		}
	}
	for i, v := range ids {
		c.u.deps[v] = deps[i]
		c.touch(list[i].Entity, c.u.states[list[i].Entity], v)
	}
	return ids, nums, nil
}

// own checks that located entities belong to the package of the change set.
func (c *ChangeSet) own(list []EntityID, text string) error {
	for _, e := range list {
		if c.u.home[e] != c.pkg {
			return fault.Errorf(fault.Invalid, fmt.Sprintf("learning package %d", c.pkg), text, e)
		}
	}
	return nil
}

func (c *ChangeSet) insertVersions(ctx context.Context, list []NewVersion, nums []int) ([]VersionID, error) {
	ids := uuids(len(list))
	rows, err := c.tx.InsertIDs(ctx, "openedx_content_publishableentityversion",
		[]string{"uuid", "title", "version_num", "created", "created_by_id", "entity_id"}, len(list), func(i int, v []any) {
			n := &list[i]
			at, by := c.meta.At, c.meta.By
			if !n.Created.IsZero() {
				at = moment(c.tx, n.Created)
			}
			if n.By != 0 {
				by = max(n.By, 0) // Nobody is none
			}
			v[0], v[1], v[2], v[3], v[4], v[5] = ids[i], n.Title, nums[i], at, null(by), int64(n.Entity)
		})
	if err != nil {
		thing := fmt.Sprintf("version %d of entity %d", nums[0], list[0].Entity)
		if len(list) > 1 {
			thing = fmt.Sprintf("one of %d versions", len(list))
		}
		return nil, fmt.Errorf("create versions: %w", conflict(err, thing, "exists already"))
	}
	made := make([]VersionID, len(rows))
	for i, id := range rows {
		made[i] = VersionID(id)
	}
	return made, nil
}

func (c *ChangeSet) insertDependencies(ctx context.Context, ids []VersionID, deps [][]EntityID, rows int) error {
	at, k := 0, 0 // the version and its dependency that the next row is for
	err := c.tx.Insert(ctx, "openedx_content_publishableentityversiondependency",
		[]string{"referring_version_id", "referenced_entity_id"}, rows, func(i int, v []any) {
			if i == 0 {
				at, k = 0, 0
			}
			for k == len(deps[at]) {
				at, k = at+1, 0
			}
			v[0], v[1] = int64(ids[at]), int64(deps[at][k])
			k++
		})
	if err != nil {
		return fmt.Errorf("dependencies: %w", err)
	}
	for _, set := range deps {
		for _, d := range set {
			if st := c.u.states[d]; st != nil && st.fresh {
				st.other = st.other || st.namer != nil && st.namer != c
				st.namer = c
			}
		}
	}
	return nil
}

// depsOf returns the dependencies of a version if they are known without asking.
func (u *unit) depsOf(v VersionID) (deps []EntityID, known bool) {
	if v == 0 {
		return nil, true
	}
	deps, known = u.deps[v]
	return deps, known
}

// load makes the states of entities known. An unknown entity is fault.NotFound.
func (u *unit) load(ctx context.Context, q db.Querier, list []EntityID) error {
	var ask []EntityID
	for _, e := range list {
		if u.states[e] == nil {
			ask = append(ask, e)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	ask = unique(ask)
	states := make([]state, 0, len(ask))
	err := db.QueryIn(ctx, q, `SELECT e.id, e.learning_package_id, d.entity_id, d.version_id, d.draft_log_record_id,
		(SELECT MAX(v.version_num) FROM openedx_content_publishableentityversion v WHERE v.entity_id = e.id)
		FROM openedx_content_publishableentity e LEFT JOIN openedx_content_draft d ON d.entity_id = e.id
		WHERE e.id IN (?...)`, ask, nil, func(r *db.Row) error {
		var e, pkg int64
		var row, draft, record, latest *int64
		if err := r.Scan(&e, &pkg, &row, &draft, &record, &latest); err != nil {
			return err
		}
		states = append(states, state{row: row != nil, draft: orZero[VersionID](draft), record: orZero[RecordID](record), latest: int(orZero[VersionID](latest))})
		u.states[EntityID(e)] = &states[len(states)-1] // never reallocated: made for all
		u.home[EntityID(e)] = PackageID(pkg)
		return nil
	})
	if err != nil {
		return fmt.Errorf("drafts: %w", err)
	}
	for _, e := range ask {
		if u.states[e] == nil {
			return noEntity(e)
		}
	}
	return nil
}

// locate makes the packages of entities known. An unknown entity is fault.NotFound.
func (u *unit) locate(ctx context.Context, q db.Querier, list []EntityID) error {
	var ask []EntityID
	for _, e := range list {
		if u.home[e] == 0 {
			ask = append(ask, e)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	ask = unique(ask)
	err := db.QueryIn(ctx, q, `SELECT id, learning_package_id FROM openedx_content_publishableentity WHERE id IN (?...)`, ask, nil, func(r *db.Row) error {
		var e, pkg int64
		err := r.Scan(&e, &pkg)
		u.home[EntityID(e)] = PackageID(pkg)
		return err
	})
	if err != nil {
		return fmt.Errorf("entities: %w", err)
	}
	for _, e := range ask {
		if u.home[e] == 0 {
			return noEntity(e)
		}
	}
	return nil
}
