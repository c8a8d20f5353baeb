package archive

import (
	"context"
	"io"
	"os"

	"github.com/openlectern/lectern/internal/zipdir"
)

// zipFile reads the members of a zip where they lie.
type zipFile struct {
	f       *os.File
	limits  zipdir.Limits
	members map[string]zipdir.Member
}

// openZip reads the central directory and every local header. It keeps f open if it succeeds.
func openZip(ctx context.Context, f *os.File, size int64, t *table) (backend, error) {
	l := zipdir.Limits{Members: int64(t.limits.Entries), Ratio: t.limits.Ratio, RatioWindow: t.limits.RatioWindow}
	z := &zipFile{f, l, map[string]zipdir.Member{}}
	err := zipdir.Read(ctx, f, size, l, func(m zipdir.Member) error {
		if bad := t.count(); bad != nil {
			return inMember(m.Name, bad)
		}
		if m.Dir {
			if bad := t.addDir(m.Name); bad != nil {
				return bad
			}
			return nil
		}
		name, bad := t.addFile(m.Name, m.Size)
		if bad != nil {
			return bad
		}
		z.members[name] = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return z, nil
}

func (z *zipFile) close() error { return z.f.Close() }

func (z *zipFile) open(name string, _ entry) (io.ReadCloser, error) {
	return z.members[name].Open(z.f, z.limits), nil
}
