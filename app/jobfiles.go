package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/job"
)

// jobFolder is where the files of jobs lie: for each a folder named after its uuid, with what it was given in "in" and what
// it has made in "out". Several servers may have one, or one each: the file "place" holds a name that tells which it is, so
// that a job is done where its files are.
type jobFolder string

const (
	jobInput  = "in"
	jobOutput = "out"
	jobStop   = "cancel" // a file that asks for the job's end
	placeFile = "place"
)

// jobs returns the folder of a configuration: in the data folder, or beside a SQLite file that was named without one.
func (c Config) jobs() jobFolder {
	if path, ok := sqlitePath(c.DB); ok && c.Data == "" {
		return jobFolder(path + "-jobs")
	}
	data := c.Data
	if data == "" {
		data = DefaultData
	}
	return jobFolder(filepath.Join(data, "jobs"))
}

func (f jobFolder) of(id uuid.UUID) string { return filepath.Join(string(f), id.String()) }

// place returns the name of the folder, which is made where there is none.
func (f jobFolder) place() (string, error) {
	path := filepath.Join(string(f), placeFile)
	for range 2 {
		b, err := os.ReadFile(path)
		if err == nil {
			id, err := uuid.ParseBytes(b)
			if err != nil {
				return "", fault.Errorf(fault.Invalid, path, "is not the name of a folder of jobs").WithNext("remove it where no jobs wait")
			}
			return id.String(), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		if err := f.name(path); err != nil && !errors.Is(err, os.ErrExist) {
			return "", err
		}
	}
	return "", fault.Errorf(fault.Unavailable, path, "cannot be read")
}

// name gives the folder a name. The file is complete when it appears, and the first of two stays.
func (f jobFolder) name(path string) (err error) {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(string(f), ".place-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(temp.Name())) }()
	_, err = temp.WriteString(uuid.NewString())
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), path); err != nil {
		return err
	}
	return nil
}

// keep writes what a job is given, durable, under the name that it had where it came from, as far as that is a name. Where
// all that jobs were given would take more than limit bytes it is Refused.
func (f jobFolder) keep(id uuid.UUID, name string, from io.Reader, limit int64) (path string, err error) {
	dir := filepath.Join(f.of(id), jobInput)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path = filepath.Join(dir, plainName(name))
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // of our own folder
	if err != nil {
		return "", err
	}
	if err = f.copyIn(out, from, limit); err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return "", errors.Join(err, f.remove(id))
	}
	return path, nil
}

// roomEvery is after how many bytes of an upload it is looked whether there is room for more: others upload, too.
const roomEvery = 64 << 20

func (f jobFolder) copyIn(out io.Writer, from io.Reader, limit int64) error {
	for {
		left, err := f.room(limit)
		if err != nil {
			return err
		}
		n, err := io.CopyN(out, from, min(left, roomEvery))
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case n == left: // full, and what was sent may just have ended
			if n, err := io.CopyN(io.Discard, from, 1); n > 0 || !errors.Is(err, io.EOF) {
				return errors.Join(errNoRoom(limit), notEOF(err))
			}
			return nil
		}
	}
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// room returns how many more bytes jobs may be given; none is Refused.
func (f jobFolder) room(limit int64) (int64, error) {
	inputs, err := filepath.Glob(filepath.Join(string(f), "*", jobInput, "*"))
	if err != nil {
		return 0, err
	}
	left := limit
	for _, path := range inputs {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // it was done with meanwhile
		}
		if err != nil {
			return 0, err
		}
		left -= info.Size()
	}
	if left <= 0 {
		return 0, errNoRoom(limit)
	}
	return left, nil
}

func errNoRoom(limit int64) error {
	return fault.Errorf(fault.Refused, "upload", "the files that jobs were given may take %d MiB together, and they do", limit>>20).
		WithNext("wait until jobs that have one are done, or ask the operator for more room: lectern serve --upload-space")
}

// forget removes what a job was given.
func (f jobFolder) forget(id uuid.UUID) error { return os.RemoveAll(filepath.Join(f.of(id), jobInput)) }

// input returns the file that a job was given.
func (f jobFolder) input(id uuid.UUID) (string, error) {
	dir := filepath.Join(f.of(id), jobInput)
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		return "", fault.Errorf(fault.NotFound, "the uploaded file", "it is not there any more").WithNext("upload it again, as a new job")
	}
	return filepath.Join(dir, list[0].Name()), nil
}

// output returns the folder for what a job makes, empty.
func (f jobFolder) output(id uuid.UUID) (string, error) {
	dir := filepath.Join(f.of(id), jobOutput)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.MkdirAll(dir, 0o700)
}

// made lists what a job has made.
func (f jobFolder) made(ctx context.Context, id uuid.UUID) ([]job.File, error) {
	dir := filepath.Join(f.of(id), jobOutput)
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	out := []job.File{}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		file, err := sumFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		out = append(out, file)
	}
	return out, nil
}

func sumFile(path string) (file job.File, err error) {
	in, err := os.Open(path) //nolint:gosec // of our own folder
	if err != nil {
		return file, err
	}
	defer func() { _ = in.Close() }() // only read
	sum := sha256.New()
	n, err := io.Copy(sum, in)
	return job.File{Name: filepath.Base(path), Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))}, err
}

func (f jobFolder) remove(id uuid.UUID) error { return os.RemoveAll(f.of(id)) }

// ask asks for the end of a job by a file, for who runs it on this machine.
func (f jobFolder) ask(j job.Job) error {
	if err := os.MkdirAll(f.of(j.UUID), 0o700); err != nil {
		return err
	}
	return os.WriteFile(f.stop(j), nil, 0o600)
}

func (f jobFolder) asked(j job.Job) bool {
	_, err := os.Stat(f.stop(j))
	return err == nil
}

// stop is the file of an attempt: what was asked of one is not meant for the next.
func (f jobFolder) stop(j job.Job) string {
	return filepath.Join(f.of(j.UUID), fmt.Sprintf("%s-%d", jobStop, j.Attempt))
}

// uploadAge is after how long an upload that no job came of is left over.
const uploadAge = 24 * time.Hour

// left returns the folders of which there may be no job any more: those that have not been changed for a day.
func (f jobFolder) left() ([]uuid.UUID, error) {
	list, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []uuid.UUID
	for _, e := range list {
		id, err := uuid.Parse(e.Name())
		info, ierr := e.Info()
		if err == nil && ierr == nil && time.Since(info.ModTime()) > uploadAge {
			out = append(out, id)
		}
	}
	return out, nil
}

// plainName makes of any text the name of a file that every system takes.
func plainName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.TrimLeft(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-+~", r):
			return r
		}
		return '_'
	}, strings.ToValidUTF8(name, "_")), ".-")
	const longest = 120
	if len(name) > longest {
		name = name[len(name)-longest:] // the end tells what it is
	}
	if name == "" {
		return "archive"
	}
	return name
}

// inside takes the path of a job's folder out of an error, which is told to others than the operator.
func (f jobFolder) inside(id uuid.UUID, err error) error {
	var e *fault.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	for _, sub := range slices.Backward([]string{"", jobInput, jobOutput}) {
		dir := filepath.Join(f.of(id), sub) + string(filepath.Separator)
		for _, s := range []*string{&told.Thing, &told.Text, &told.Next} {
			*s = strings.ReplaceAll(*s, dir, "")
		}
	}
	told.Err = err
	return &told
}
