package keys

import "encoding/hex"

const versionSize = 12

// Version is the identity of a stored structure or definition: 12 bytes, printed as 24 lower-case hexadecimal digits.
type Version [versionSize]byte

// ParseVersion reads 24 hexadecimal digits of either case. Inside a key only lower case is accepted (keys.md §2.3).
func ParseVersion(s string) (Version, error) {
	var v Version
	if len(s) != 2*versionSize {
		return v, fail(0, s, "a version is 24 hexadecimal digits")
	}
	if _, err := hex.Decode(v[:], []byte(s)); err != nil {
		return Version{}, fail(0, s, "a version is 24 hexadecimal digits")
	}
	return v, nil
}

// String returns the 24 digits in lower case.
func (v Version) String() string { return hex.EncodeToString(v[:]) }

// hexVersion reads lower-case digits that a parser has checked, without allocating.
func hexVersion(s string) (v Version) {
	nibble := func(c byte) byte {
		if c >= 'a' {
			return c - 'a' + 10
		}
		return c - '0'
	}
	for i := range v {
		v[i] = nibble(s[2*i])<<4 | nibble(s[2*i+1])
	}
	return v
}
