package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"os"
	"sync"
	"time"
)

// recheck is how long a ring does not look at its file again.
const recheck = 5 * time.Second

// Key is a signing key.
type Key struct {
	ID      string
	Created time.Time
	Private *rsa.PrivateKey
}

// keys are what one text of the file holds, newest last.
type keys struct {
	signing []Key
	secrets [][]byte
}

// Ring is the keys of a file. It is safe for concurrent use.
type Ring struct {
	path string

	mu     sync.Mutex
	now    keys      // guarded by mu: replaced whole
	looked time.Time // guarded by mu: when the file was last looked at
	mark   mark      // guarded by mu: of the file that was read
}

// mark tells one text of a file from another.
type mark struct {
	changed time.Time
	size    int64
}

// Open reads the file, which it makes where there is none.
func Open(path string) (*Ring, error) {
	if err := Make(path); err != nil {
		return nil, err
	}
	r := &Ring{path: path}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r, r.load()
}

// load reads the file again if it has changed. The caller holds mu.
func (r *Ring) load() error {
	r.looked = time.Now()
	info, err := os.Stat(r.path)
	if err != nil && r.now.signing != nil {
		return nil // it is being replaced, or gone by mistake: what was read still counts
	}
	if err == nil && r.now.signing != nil && r.mark == (mark{info.ModTime(), info.Size()}) {
		return nil
	}
	f, err := read(r.path)
	if err != nil {
		return err
	}
	k, err := parse(f)
	if err != nil {
		return bad(r.path, err)
	}
	r.now = k
	if info != nil {
		r.mark = mark{info.ModTime(), info.Size()}
	}
	return nil
}

func parse(f file) (k keys, err error) {
	for _, s := range f.Signing {
		parsed, err := x509.ParsePKCS8PrivateKey(s.Key)
		if err != nil {
			return k, err
		}
		private, ok := parsed.(*rsa.PrivateKey)
		if !ok || private.N.BitLen() < bits || s.ID == "" {
			return k, errors.New("a signing key is not an RSA key of 2048 bits or more with an id")
		}
		k.signing = append(k.signing, Key{s.ID, s.Created, private})
	}
	for _, s := range f.Secrets {
		if len(s.Key) != 32 {
			return k, errors.New("a secret is not 32 bytes")
		}
		k.secrets = append(k.secrets, s.Key)
	}
	return k, nil
}

// current returns the keys, from the file when it was not looked at for a while. A file that has become unreadable leaves
// the keys as they were: a server does not stop for it.
func (r *Ring) current() keys {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) > recheck {
		_ = r.load() // the keys that were read still count
	}
	return r.now
}

// Signing returns the key to sign with.
func (r *Ring) Signing() Key {
	k := r.current().signing
	return k[len(k)-1]
}

// All returns all signing keys, oldest first.
func (r *Ring) All() []Key { return r.current().signing }

// Find returns the signing key of an id.
func (r *Ring) Find(id string) (Key, bool) {
	if k, ok := find(r.current().signing, id); ok {
		return k, true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.looked) > time.Second { // another server may sign with it already; strangers cannot make us read all the time
		_ = r.load() // the keys that were read still count
	}
	return find(r.now.signing, id)
}

func find(all []Key, id string) (Key, bool) {
	for _, k := range all {
		if k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}

// Sum returns the digest of a text under the newest secret and a purpose: nobody without the file can make or guess it.
func (r *Ring) Sum(purpose, text string) []byte {
	all := r.current().secrets
	h := hmac.New(sha256.New, derive(all[len(all)-1], purpose))
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Seal encrypts a text for a purpose, in letters that a cookie can hold.
func (r *Ring) Seal(purpose string, text []byte) string {
	all := r.current().secrets
	box := sealer(all[len(all)-1], purpose)
	return base64.RawURLEncoding.EncodeToString(box.Seal(nil, nil, text, nil))
}

// Open returns what was sealed for the same purpose; ok is false for anything else.
func (r *Ring) Open(purpose, sealed string) (text []byte, ok bool) {
	data, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, false
	}
	for _, secret := range r.current().secrets {
		if text, err := sealer(secret, purpose).Open(nil, nil, data, nil); err == nil {
			return text, true
		}
	}
	return nil, false
}

// derive makes a key for one purpose of a secret, so that what is made for one is nothing for another.
func derive(secret []byte, purpose string) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(purpose))
	return h.Sum(nil)
}

// sealer is AES-GCM with a random nonce in front.
func sealer(secret []byte, purpose string) cipher.AEAD {
	block, err := aes.NewCipher(derive(secret, purpose))
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	box, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err) // of a block of AES it can be made
	}
	return box
}

// List returns the signing keys of a file, oldest first; NotFound when there is no file.
func List(path string) ([]Key, error) {
	f, err := read(path)
	if err != nil {
		return nil, err
	}
	k, err := parse(f)
	if err != nil {
		return nil, bad(path, err)
	}
	return k.signing, nil
}
