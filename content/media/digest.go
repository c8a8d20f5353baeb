package media

import (
	"encoding/hex"
	"hash"
	"io"

	"golang.org/x/crypto/blake2b"
)

// digestLen is the length of a digest in bytes: a parameter of the hash function, not a cut of a longer digest
// (content-model.md §8).
const digestLen = 20

// sum is a digest as bytes: half the size of its text, and comparable.
type sum [digestLen]byte

func (s sum) String() string { return hex.EncodeToString(s[:]) }

// Digest returns the digest of everything that r yields, 40 lower-case hex digits, and how many bytes that was.
func Digest(r io.Reader) (digest string, size int64, err error) {
	h := newHash()
	size, err = io.Copy(h, r)
	if err != nil {
		return "", size, err
	}
	return sumOf(h).String(), size, nil
}

// DigestBytes returns the digest of b, 40 lower-case hex digits.
func DigestBytes(b []byte) string {
	h := newHash()
	_, _ = h.Write(b) // a hash never fails to write
	return sumOf(h).String()
}

// NewHash returns the hash whose sum, in lower-case hex digits, is a digest.
func NewHash() hash.Hash { return newHash() }

// IsDigest reports whether text has the form of a digest.
func IsDigest(text string) bool {
	_, ok := parseSum(text)
	return ok
}

func newHash() hash.Hash {
	h, err := blake2b.New(digestLen, nil)
	if err != nil {
		panic(err) // only for a wrong length
	}
	return h
}

func sumOf(h hash.Hash) (s sum) {
	h.Sum(s[:0])
	return s
}

// parseSum reads the 40 lower-case hex digits of a digest.
func parseSum(digest string) (s sum, ok bool) {
	if len(digest) != 2*digestLen {
		return s, false
	}
	for i := range len(digest) {
		if c := digest[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return s, false
		}
	}
	_, err := hex.Decode(s[:], []byte(digest))
	return s, err == nil
}
