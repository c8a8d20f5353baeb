// Package password reads, checks and makes password hashes in the forms of Django's auth_user.password, so that people of
// an Open edX site sign in with the passwords they have, and a Django process beside us reads what we wrote.
//
// All of Django's forms with a salt and a cost are read: pbkdf2_sha256, pbkdf2_sha1, scrypt, argon2 (argon2id and
// argon2i), bcrypt_sha256 and bcrypt. One is written: pbkdf2_sha256 with the rounds of Django 5.2. The forms without a
// cost (md5, sha1 and the like) are refused: what they hide is found by trying.
//
// The package knows no database. Its functions are safe for concurrent use; checking takes a good part of a second of
// processor time on purpose, so callers bound how many run at once.
package password
