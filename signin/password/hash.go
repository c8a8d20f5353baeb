package password

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"strings"
)

// Rounds is the cost of new hashes: that of Django 5.2's PBKDF2PasswordHasher (design.md §8).
const Rounds = 1_000_000

// Unusable is how a column says that there is no password: Django takes whatever begins so for "never signs in".
const Unusable = "!"

// ErrUnusable is what [Parse] returns for a column that says that there is no password.
var ErrUnusable = errors.New("there is no password")

// ErrUnknown is what [Parse] returns, wrapped, for text that is no hash of a form known here.
var ErrUnknown = errors.New("not a password hash of a known form")

// Hash is a hash that was parsed. The zero value matches nothing.
type Hash struct {
	check   func(plain string) bool
	rounds  int  // of pbkdf2_sha256, 0 for other forms
	current bool // of the form and salt that are written today, whatever the rounds
}

// Parse reads the text of a column. A hash whose costs are beyond all reason (more than a few seconds or a gigabyte) is
// unknown too, so that a row cannot stop a server.
func Parse(encoded string) (Hash, error) {
	if strings.HasPrefix(encoded, Unusable) {
		return Hash{}, ErrUnusable
	}
	name, rest, ok := strings.Cut(encoded, "$")
	read := forms[name]
	if !ok || read == nil {
		return Hash{}, fmt.Errorf("%w: no form of that name", ErrUnknown)
	}
	h, err := read(rest)
	if err != nil {
		return Hash{}, fmt.Errorf("%w: %s: %w", ErrUnknown, name, err)
	}
	return h, nil
}

// Match reports whether plain is the password. How long it takes does not depend on where they differ.
func (h Hash) Match(plain string) bool { return h.check != nil && h.check(plain) }

// Current reports whether the hash is as [Make] makes them with so many rounds or more. One that is not is to be
// replaced when its password is known again. More rounds than ours are left alone: a newer Django wrote them.
func (h Hash) Current(rounds int) bool { return h.current && h.rounds >= rounds }

// Missing returns how many of so many rounds of pbkdf2_sha256 checking h does not take, so that a refusal can take as
// long as any other; 0 for other forms, whose cost has no such measure.
func (h Hash) Missing(rounds int) int {
	if h.rounds == 0 {
		return 0
	}
	return max(0, rounds-h.rounds)
}

const (
	saltLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	saltLength  = 22 // 131 bits
)

// Make returns a new hash of plain in the form pbkdf2_sha256, with [Rounds] where rounds is 0.
func Make(plain string, rounds int) (string, error) {
	if rounds == 0 {
		rounds = Rounds
	}
	salt := newSalt()
	sum, err := pbkdf2.Key(sha256.New, plain, []byte(salt), rounds, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hash a password: %w", err)
	}
	return fmt.Sprintf("pbkdf2_sha256$%d$%s$%s", rounds, salt, base64.StdEncoding.EncodeToString(sum)), nil
}

// MakeUnusable returns the text of a column without a password. No two are the same, as links and sessions are tied to
// the column's text.
func MakeUnusable() string { return Unusable + newSalt() + newSalt()[:18] }

// Waste takes the time that checking a hash of so many rounds takes, for names that nobody has.
func Waste(plain string, rounds int) {
	if rounds > 0 {
		_, _ = pbkdf2.Key(sha256.New, plain, []byte("saltsaltsaltsaltsaltsa"), rounds, sha256.Size) // only the time counts
	}
}

func newSalt() string {
	salt := make([]byte, 0, saltLength)
	var b [64]byte
	for len(salt) < saltLength {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		for _, c := range b {
			// 248 is the greatest multiple of 62 in a byte: above it some letters would be likelier.
			if c < 248 && len(salt) < saltLength {
				salt = append(salt, saltLetters[c%62])
			}
		}
	}
	return string(salt)
}

// strong reports whether a salt has the 128 bits that Django asks of one, by the letters that Django's salts are of.
func strong(salt string) bool { return float64(len(salt))*math.Log2(float64(len(saltLetters))) >= 128 }
