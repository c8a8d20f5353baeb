// Package keyring keeps the key material of a server in one file: the keys that sign web tokens, and a secret for
// whatever is sealed or counted under it. The file is made at the first run, mode 0600, and read again when it changes.
//
// The newest key of a kind is the one that is used to sign and seal; the older ones still verify and open until they are
// removed. So rotating is: add a key, wait as long as what was signed lives, remove the old one.
//
// Several servers on one database use one file: shared, or copied to each of them before it is used. A server that meets
// a token of a key it does not know looks at the file again, so a new key may reach the servers one after another.
package keyring
