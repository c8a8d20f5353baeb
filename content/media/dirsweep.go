package media

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Packages implements [Sweeper]. Folders with other names than a UUID's are not ours.
func (d *Dir) Packages(context.Context) ([]uuid.UUID, error) {
	top := filepath.Join(d.root, prefix)
	list, err := d.disk.ReadDir(top)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(top, err)
	}
	var out []uuid.UUID
	for _, e := range list {
		if id, err := uuid.Parse(e.Name()); err == nil && e.IsDir() && id.String() == e.Name() {
			out = append(out, id)
		}
	}
	return out, nil
}

// Old implements [Sweeper].
func (d *Dir) Old(ctx context.Context, pkg uuid.UUID, age Age) ([]string, error) {
	list, err := d.list(ctx, pkg)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, name := range list {
		if strings.HasPrefix(name, partName) {
			continue
		}
		old, err := d.isOld(pkg, name, age)
		if err != nil {
			return nil, err
		}
		if old {
			out = append(out, name)
		}
	}
	return out, nil
}

// Remove implements [Sweeper]. The folder goes too when nothing is left in it.
func (d *Dir) Remove(ctx context.Context, pkg uuid.UUID, digests []string, age Age) (int, error) {
	list, err := d.list(ctx, pkg)
	if err != nil {
		return 0, err
	}
	wanted := make(map[string]bool, len(digests))
	for _, s := range digests {
		wanted[s] = true
	}
	n := 0
	for _, name := range list {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if !strings.HasPrefix(name, partName) && !wanted[name] {
			continue
		}
		old, err := d.isOld(pkg, name, age)
		if err != nil {
			return n, err
		}
		if !old {
			continue
		}
		switch err := d.disk.Remove(d.Path(pkg, name)); {
		case err == nil:
			n++
		case !errors.Is(err, fs.ErrNotExist):
			return n, unusable(d.Path(pkg, name), err)
		}
	}
	if n == len(list) {
		// Refused by the system when a file came meanwhile, which is right; and an empty folder does no harm.
		_ = d.disk.Remove(d.folder(pkg))
	}
	return n, nil
}

// list returns the names of a package's files, complete ones and parts, in order.
func (d *Dir) list(ctx context.Context, pkg uuid.UUID) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	list, err := d.disk.ReadDir(d.folder(pkg))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(d.folder(pkg), err)
	}
	var out []string
	for _, e := range list {
		if _, ok := parseSum(e.Name()); (ok || strings.HasPrefix(e.Name(), partName)) && e.Type().IsRegular() {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// isOld reports whether a file is there and was last written at least age ago.
func (d *Dir) isOld(pkg uuid.UUID, name string, age Age) (bool, error) {
	info, err := d.disk.Stat(d.Path(pkg, name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, unusable(d.Path(pkg, name), err)
	}
	return d.now().Sub(info.ModTime()) >= time.Duration(age), nil
}
