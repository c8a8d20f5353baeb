// Package s3 keeps media files in an object store that speaks S3, as objects "content/<package uuid>/<digest>" below a
// prefix of a bucket: the same names as in a folder (content-model.md §13), so that files can be copied from one to the
// other, and a Python process whose storage is that bucket finds them.
//
// One object is one request. Its bytes are digested on the way, and the last of them are held back until the digest is
// known to be right: the store never gets a whole object that is not what its name says, and keeps nothing of one that
// is cut off. A put says "only if there is none" (If-None-Match: *), so that of several writers of one content the first
// counts and nobody replaces what another may be reading.
package s3
