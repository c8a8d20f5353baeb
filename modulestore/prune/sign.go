package prune

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/openlectern/lectern/fault"
)

// signed is what a signature is of: what a plan's digest could be taken for elsewhere it is not here.
func signed(digest string) []byte { return []byte("lectern split prune plan " + digest) }

// ReadSigner reads an Ed25519 key to sign plans with (PR-4), in PEM as `openssl genpkey -algorithm ed25519` writes it. Any other is
// fault.Invalid.
func ReadSigner(path string) (ed25519.PrivateKey, error) {
	blocks, err := readPEM(path, "PRIVATE KEY")
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(blocks[0])
	if k, ok := key.(ed25519.PrivateKey); ok && len(blocks) == 1 {
		return k, nil
	}
	if err == nil {
		err = errors.New("it has not one Ed25519 key alone")
	}
	return nil, fault.Errorf(fault.Invalid, path, "%w", err).WithNext("make one with: openssl genpkey -algorithm ed25519 -out FILE")
}

// ReadVerifiers reads the keys of those whose plans may be applied, one or more in PEM as `openssl pkey -pubout` writes them.
func ReadVerifiers(path string) (keys []ed25519.PublicKey, err error) {
	blocks, err := readPEM(path, "PUBLIC KEY")
	if err != nil {
		return nil, err
	}
	for i, b := range blocks {
		key, err := x509.ParsePKIXPublicKey(b)
		k, ok := key.(ed25519.PublicKey)
		if err == nil && !ok {
			err = errors.New("it is no Ed25519 key")
		}
		if err != nil {
			return nil, fault.Errorf(fault.Invalid, path, "key %d: %w", i+1, err).WithNext("write the public key with: openssl pkey -in KEY -pubout -out FILE")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// readPEM returns the blocks of one kind in a file; there is one at least, and none of another kind.
func readPEM(path, kind string) (blocks [][]byte, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Errorf(fault.NotFound, path, "there is no such file").WithNext("make a key with: openssl genpkey -algorithm ed25519 -out FILE")
	}
	if err != nil {
		return nil, fault.Errorf(fault.Unavailable, path, "%w", err)
	}
	for {
		b, rest := pem.Decode(text)
		if b == nil {
			break
		}
		if b.Type != kind {
			return nil, fault.Errorf(fault.Invalid, path, "it has a %s, not a %s", b.Type, kind)
		}
		blocks, text = append(blocks, b.Bytes), rest
	}
	if len(blocks) == 0 {
		return nil, fault.Errorf(fault.Invalid, path, "it has no %s", kind).WithNext("give a file in PEM, as openssl writes it")
	}
	return blocks, nil
}

// ending is how the file of a plan ends: with the digest of everything before, and for a signed plan with who signed that.
func ending(digest, signer, signature string) string {
	if signer == "" {
		return fmt.Sprintf("  \"sha256\": %q\n}\n", digest)
	}
	return fmt.Sprintf("  \"sha256\": %q,\n  \"signed_by\": %q,\n  \"signature\": %q\n}\n", digest, signer, signature)
}

// The lengths of endings.
var (
	plainEnding  = len(ending(hex.EncodeToString(make([]byte, 32)), "", ""))
	signedEnding = len(ending(hex.EncodeToString(make([]byte, 32)), hex.EncodeToString(make([]byte, ed25519.PublicKeySize)), hex.EncodeToString(make([]byte, ed25519.SignatureSize))))
)

// sign returns the signer and the signature of a plan's digest, nothing without a key.
func sign(key ed25519.PrivateKey, digest string) (signer, signature string) {
	if key == nil {
		return "", ""
	}
	return hex.EncodeToString(key.Public().(ed25519.PublicKey)), hex.EncodeToString(ed25519.Sign(key, signed(digest)))
}

// verified says whether a signature is that of a signer.
func verified(digest, signer, signature string) bool {
	key, err := hex.DecodeString(signer)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return false
	}
	sig, err := hex.DecodeString(signature)
	return err == nil && ed25519.Verify(key, signed(digest), sig)
}

// CheckSigner refuses a plan that none of these keys signed, as fault.Refused. No keys let any plan pass.
func (p *Plan) CheckSigner(keys []ed25519.PublicKey) error {
	if len(keys) == 0 {
		return nil
	}
	if p.SignedBy == "" {
		return fault.Errorf(fault.Refused, p.path, "the plan is not signed").WithNext("make it with: lectern split prune plan --sign KEY.pem")
	}
	if !slices.ContainsFunc(keys, func(k ed25519.PublicKey) bool { return hex.EncodeToString(k) == p.SignedBy }) {
		return fault.Errorf(fault.Refused, p.path, "the plan is signed by %s, which is none of the keys that may", p.SignedBy).WithNext("let somebody sign a plan whose key is given with --signed-by")
	}
	return nil
}
