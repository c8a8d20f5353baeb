package signin

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"runtime"
	"time"

	"github.com/openlectern/lectern/db"
	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/signin/keyring"
	"github.com/openlectern/lectern/signin/password"
	"github.com/openlectern/lectern/signin/webtoken"
	"github.com/openlectern/lectern/user"
)

// Method says by what a session was begun.
type Method string

// The methods.
const (
	ByPassword Method = "password"
	ByLink     Method = "link"
	ByProvider Method = "oidc"
)

// Principal is who was recognised, and by what.
type Principal struct {
	user.User
	Session string    // digest of the session, "" where there is none (tokens of programs and of other issuers)
	Method  Method    // by what the session was begun, "" without a session
	Since   time.Time // when the session was begun
}

// ErrRefused is the error of every attempt that is refused, whatever the reason.
var ErrRefused = fault.Errorf(fault.Denied, "sign-in", "the name or the password is not right")

// ErrNobody is the error of credentials that are of nobody, or of nobody any more.
var ErrNobody = fault.Errorf(fault.Denied, "sign-in", "the session or token is not good, or no longer")

// Bounds (docs/signin.md).
const (
	SessionLife   = 14 * 24 * time.Hour // as Django's
	LinkLife      = time.Hour
	seenEvery     = 10 * time.Minute // how stale "seen" and "used" may be
	maxSessions   = 100              // of one user; the oldest go
	maxWaiting    = 64               // attempts that wait for a processor
	TokenPrefix   = "lectern_"       // of tokens of programs, so that they are found where they should not be
	maxCredential = 200              // bytes of a cookie or token that is worth a look-up
)

// Service recognises people. Its fields are set once, before its first use; it is safe for concurrent use.
type Service struct {
	DB     *db.DB
	Ring   *keyring.Ring
	Issuer *webtoken.Issuer
	Other  *webtoken.Other // a learning management system beside us, nil for none
	Rounds int             // cost of passwords, 0 means password.Rounds
	Limits Limits
	Clock  func() time.Time // nil means time.Now; the database's own for what is written

	hashing chan struct{} // holds one element for each password that is being checked
	waiting chan struct{} // and for each that waits
	usual   pace
}

// New returns a service on a database with the keys of a ring. name is the public URL, which its web tokens carry.
func New(d *db.DB, ring *keyring.Ring, name string) *Service {
	return &Service{
		DB: d, Ring: ring, Issuer: &webtoken.Issuer{Ring: ring, Name: name}, Limits: DefaultLimits,
		// Half of the processors stay free for people who are in already.
		hashing: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), waiting: make(chan struct{}, maxWaiting),
	}
}

func (s *Service) now() time.Time {
	if s.Clock == nil {
		return time.Now()
	}
	return s.Clock()
}

func (s *Service) rounds() int {
	if s.Rounds == 0 {
		return password.Rounds
	}
	return s.Rounds
}

// secretText returns a new text that cannot be guessed, of 256 random bits.
func secretText() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// digest returns what is stored of a secret text: it can be compared, not used.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// fingerprint returns what tells one password column from another. The column has a salt, so it says nothing of the password.
func fingerprint(c user.Credential) string { return digest("password " + c.Password) }

// orNobody makes ErrNobody of "there is no such row".
func orNobody(found bool, err error) error {
	if err == nil && !found {
		err = ErrNobody
	}
	return err
}

// IsRefused reports whether an error says that somebody was not recognised, as opposed to a database that did not answer.
func IsRefused(err error) bool { return errors.Is(err, ErrRefused) || errors.Is(err, ErrNobody) }
