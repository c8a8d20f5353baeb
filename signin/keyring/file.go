package keyring

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/openlectern/lectern/fault"
)

// FileName is how the file is called in the data folder.
const FileName = "secret.json"

// version of the file's form.
const version = 1

// bits of a new signing key.
const bits = 2048

// file is the JSON of the file.
type file struct {
	Version int      `json:"version"`
	Signing []stored `json:"signing"` // RSA keys, PKCS #8
	Secrets []stored `json:"secrets"` // 32 random bytes each
}

// stored is a key as it is in the file; bytes are base64.
type stored struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Key     []byte    `json:"key"`
}

// Make makes the file if there is none, with new keys. Of several processes that make it at once one wins, and all use
// what it made.
func Make(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	f := file{Version: version}
	if err := f.add(time.Now()); err != nil {
		return err
	}
	return write(path, f, func(temp string) error {
		// A link fails where the name is taken, a rename would replace the keys that another process already uses.
		err := os.Link(temp, path)
		if errors.Is(err, os.ErrExist) {
			err = nil
		}
		return errors.Join(err, os.Remove(temp))
	})
}

// Rotate adds a new signing key and a new secret, which are used from now on, and returns their id. What was signed before
// is still accepted. It makes the file where there is none.
func Rotate(path string) (id string, err error) {
	_, missing := os.Stat(path)
	if err := Make(path); err != nil {
		return "", err
	}
	f, err := read(path)
	if err != nil {
		return "", err
	}
	if !errors.Is(missing, os.ErrNotExist) {
		if err := f.add(time.Now()); err != nil {
			return "", err
		}
		err = replace(path, f)
	}
	return f.Signing[len(f.Signing)-1].ID, err
}

// Remove removes the keys of an id; what they signed is refused from then on. The newest cannot be removed.
func Remove(path, id string) error {
	f, err := read(path)
	if err != nil {
		return err
	}
	if id == f.Signing[len(f.Signing)-1].ID {
		return fault.Errorf(fault.Refused, id, "this is the key in use").WithNext("make another first: lectern secret rotate")
	}
	n := len(f.Signing) + len(f.Secrets)
	f.Signing, f.Secrets = without(f.Signing, id), without(f.Secrets, id)
	if len(f.Signing)+len(f.Secrets) == n {
		return fault.Errorf(fault.NotFound, id, "there is no such key").WithNext("see: lectern secret list")
	}
	return replace(path, f)
}

func without(keys []stored, id string) []stored {
	var rest []stored
	for _, k := range keys {
		if k.ID != id {
			rest = append(rest, k)
		}
	}
	return rest
}

// add adds a key of each kind under one id.
func (f *file) add(now time.Time) error {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("make a signing key: %w", err)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	id, now := rand.Text()[:16], now.UTC().Truncate(time.Second)
	f.Signing = append(f.Signing, stored{id, now, der})
	f.Secrets = append(f.Secrets, stored{id, now, secret})
	return nil
}

// read reads the file. One that others than its owner may read is refused: whoever has the keys is everybody.
func read(path string) (f file, err error) {
	in, err := os.Open(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return f, fault.Errorf(fault.NotFound, path, "there is no such file").WithNext("lectern serve makes it, or: lectern secret rotate")
		}
		return f, fault.Errorf(fault.Unavailable, path, "the file of keys cannot be read: %w", err)
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return f, fault.Errorf(fault.Unavailable, path, "the file of keys cannot be read: %w", err)
	}
	if open(info.Mode()) {
		return f, fault.Errorf(fault.Refused, path, "others than its owner may read the keys (mode %04o)", info.Mode().Perm()).
			WithNext("chmod 600 " + path + ", and if others may have read it: lectern secret rotate")
	}
	dec := json.NewDecoder(in)
	if err := dec.Decode(&f); err != nil {
		return f, bad(path, err)
	}
	if f.Version != version || len(f.Signing) == 0 || len(f.Secrets) == 0 {
		return f, bad(path, errors.New("not a file of keys of this version"))
	}
	return f, nil
}

func bad(path string, err error) error {
	return fault.Errorf(fault.Invalid, path, "the file of keys does not parse: %w", err).
		WithNext("put the right file there, or move it away: a new one is made, and everybody signs in again")
}

// replace puts another text in the place of the file, whole or not at all.
func replace(path string, f file) error {
	return write(path, f, func(temp string) error { return os.Rename(temp, path) })
}

// write writes the file beside its place, syncs it and has put move it there.
func write(path string, f file, put func(temp string) error) (err error) {
	defer func() {
		if err != nil {
			err = fault.Errorf(fault.Unavailable, path, "the file of keys cannot be written: %w", err)
		}
	}()
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	if err := enc.Encode(f); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".secret-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temp.Write(text.Bytes())
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = put(temp.Name())
	}
	if err != nil {
		_ = os.Remove(temp.Name()) // it may be gone already; the error that counts is the first
	}
	return err
}
