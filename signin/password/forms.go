package password

import (
	"crypto/pbkdf2"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// Bounds of costs: several times what anybody configures.
const (
	maxRounds   = 20_000_000 // of pbkdf2: seconds
	maxMemory   = 1 << 30    // bytes, of scrypt and argon2
	maxTime     = 64         // passes of argon2
	maxPasses   = 4 << 20    // KiB times passes of argon2: seconds
	maxParallel = 255
	maxBcrypt   = 16   // 2^16 rounds: seconds
	maxText     = 4096 // bytes of any part of a hash
)

// forms are the readers of what follows the name of a form and "$".
var forms = map[string]func(rest string) (Hash, error){
	"pbkdf2_sha256": func(rest string) (Hash, error) { return pbkdf2Form(rest, sha256.New, sha256.Size, true) },
	"pbkdf2_sha1":   func(rest string) (Hash, error) { return pbkdf2Form(rest, sha1.New, sha1.Size, false) },
	"scrypt":        scryptForm,
	"argon2":        argon2Form,
	"bcrypt_sha256": func(rest string) (Hash, error) { return bcryptForm(rest, hexDigest) },
	"bcrypt": func(rest string) (Hash, error) {
		return bcryptForm(rest, func(plain string) []byte { return []byte(plain) })
	},
}

var (
	errParts = errors.New("wrong number of parts")
	errCost  = errors.New("the cost is not a number within reason")
	errSum   = errors.New("the digest is not of this form")
)

// pbkdf2Form reads rounds$salt$digest.
func pbkdf2Form[H hash.Hash](rest string, digest func() H, size int, ours bool) (Hash, error) {
	p := strings.Split(rest, "$")
	if len(p) != 3 {
		return Hash{}, errParts
	}
	rounds, err := number(p[0], maxRounds)
	if err != nil {
		return Hash{}, err
	}
	want, err := base64.StdEncoding.Strict().DecodeString(p[2])
	if err != nil || len(want) != size || len(p[1]) > maxText {
		return Hash{}, errSum
	}
	h := Hash{check: func(plain string) bool {
		got, err := pbkdf2.Key(digest, plain, []byte(p[1]), rounds, size)
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}}
	if ours {
		h.rounds, h.current = rounds, strong(p[1])
	}
	return h, nil
}

// scryptForm reads N$salt$r$p$digest.
func scryptForm(rest string) (Hash, error) {
	p := strings.Split(rest, "$")
	if len(p) != 5 {
		return Hash{}, errParts
	}
	n, errN := number(p[0], maxMemory)
	r, errR := number(p[2], maxMemory>>7)
	parallel, errP := number(p[3], maxParallel)
	if errors.Join(errN, errR, errP) != nil || n < 2 || n&(n-1) != 0 || n > maxMemory>>7/r/parallel {
		return Hash{}, errCost
	}
	want, err := base64.StdEncoding.Strict().DecodeString(p[4])
	if err != nil || len(want) != 64 || len(p[1]) > maxText {
		return Hash{}, errSum
	}
	return Hash{check: func(plain string) bool {
		got, err := scrypt.Key([]byte(plain), []byte(p[1]), n, r, parallel, len(want))
		return err == nil && subtle.ConstantTimeCompare(got, want) == 1
	}}, nil
}

// argon2Form reads argon2id$v=19$m=MEMORY,t=TIME,p=PARALLEL$salt$digest, with memory in KiB. The variety argon2d and the
// versions before 19, which were the default of no Django that is still supported, are unknown.
func argon2Form(rest string) (Hash, error) {
	p := strings.Split(rest, "$")
	if len(p) != 5 || p[1] != "v=19" {
		return Hash{}, errParts
	}
	make := map[string]func(plain, salt []byte, time, memory uint32, threads uint8, size uint32) []byte{
		"argon2id": argon2.IDKey, "argon2i": argon2.Key,
	}[p[0]]
	if make == nil {
		return Hash{}, errParts
	}
	cost := strings.Split(p[2], ",")
	if len(cost) != 3 {
		return Hash{}, errCost
	}
	var v [3]int
	for i, c := range []struct {
		name  string
		limit int
	}{{"m=", maxMemory >> 10}, {"t=", maxTime}, {"p=", maxParallel}} {
		text, ok := strings.CutPrefix(cost[i], c.name)
		n, err := number(text, c.limit)
		if !ok || err != nil {
			return Hash{}, errCost
		}
		v[i] = n
	}
	if v[0]*v[1] > maxPasses {
		return Hash{}, errCost
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(p[3])
	if err != nil || len(salt) > maxText {
		return Hash{}, errSum
	}
	want, err := base64.RawStdEncoding.Strict().DecodeString(p[4])
	if err != nil || len(want) < 4 || len(want) > 512 {
		return Hash{}, errSum
	}
	return Hash{check: func(plain string) bool {
		got := make([]byte(plain), salt, uint32(v[1]), uint32(v[0]), uint8(v[2]), uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}}, nil
}

// bcryptForm reads bcrypt's own text, of what pre makes of a password.
func bcryptForm(rest string, pre func(plain string) []byte) (Hash, error) {
	cost, err := bcrypt.Cost([]byte(rest))
	if err != nil || len(rest) != 60 {
		return Hash{}, errSum
	}
	if cost > maxBcrypt {
		return Hash{}, errCost
	}
	return Hash{check: func(plain string) bool { return bcrypt.CompareHashAndPassword([]byte(rest), pre(plain)) == nil }}, nil
}

// hexDigest is what Django gives bcrypt, which reads 72 bytes only, in place of a password.
func hexDigest(plain string) []byte {
	sum := sha256.Sum256([]byte(plain))
	return hex.AppendEncode(nil, sum[:])
}

// number reads a cost of 1 to limit in plain digits.
func number(text string, limit int) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > limit || text[0] == '+' || text[0] == '0' {
		return 0, errCost
	}
	return n, nil
}
