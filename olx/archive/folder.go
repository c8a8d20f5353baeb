package archive

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path"
)

// folder reads files where they lie. All access goes through an os.Root, which no link leads out of.
type folder struct{ root *os.Root }

func openFolder(ctx context.Context, dir string, t *table) (backend, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if err := walk(ctx, root, ".", t); err != nil {
		_ = root.Close() // only read
		return nil, err
	}
	return folder{root}, nil
}

func walk(ctx context.Context, root *os.Root, dir string, t *table) error {
	const batch = 1000 // a folder of millions of files is refused before its listing fills memory
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		entries, err := f.ReadDir(batch)
		for _, e := range entries {
			if err := visit(ctx, root, path.Join(dir, e.Name()), e, t); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func visit(ctx context.Context, root *os.Root, name string, e fs.DirEntry, t *table) error {
	if err := t.count(); err != nil {
		return err
	}
	switch mode := e.Type(); {
	case mode.IsDir():
		if err := t.addDir(name); err != nil {
			return err
		}
		return walk(ctx, root, name, t)
	case mode&fs.ModeSymlink != 0:
		return refuse(name, Unsafe, "a symbolic link, where only files and directories may be")
	case !mode.IsRegular():
		return refuse(name, Unsafe, "neither a file nor a directory")
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	_, bad := t.addFile(name, info.Size())
	if bad != nil {
		return bad
	}
	return nil
}

func (f folder) open(name string, _ entry) (io.ReadCloser, error) {
	// The folder may have changed since it was walked; opening a named pipe would wait for ever.
	info, err := f.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, refuse(name, Unsafe, "no longer a plain file")
	}
	return f.root.Open(name)
}

func (f folder) close() error { return f.root.Close() }
