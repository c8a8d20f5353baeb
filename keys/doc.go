// Package keys reads, prints and compares the opaque keys that name courses, libraries, blocks, assets and what hangs
// on them (keys.md). It depends on the standard library only.
//
// The one idea: a key is its canonical text. Each kind of key ([Context], [Course], [Usage], [Asset], [Definition],
// [BlockType], [Collection], [Container]) is a small struct of that text and the places where its fields end, so a key
// is comparable with ==, fit for a map key, safe to copy and to share between goroutines, and parsing a canonical text
// allocates nothing: the key and all its fields are slices of the caller's string. Whoever cuts keys out of a large
// buffer clones the text first. (The exception are asides with escapes, which are decoded.) The zero value of every kind means "no key" and prints as "".
//
// What holds, within a kind, for every key this package hands out (keys.md §6.4):
//
//   - parsing what a key prints gives that key again;
//   - two keys are equal exactly when their texts are equal;
//   - old forms (o/c/r, i4x://, /c4x/, location:) stay readable for ever and are never upgraded on the way;
//   - a second spelling (slashes:o+c+r, a library key with a run) is accepted and becomes the canonical key;
//   - a text that would lose part of itself when printed (course-v1:o+c+version@…), or ends a field in a line break, is
//     refused.
//
// An i4x or c4x text names organisation and course but no run. Such keys do not carry one in secret: [InCourse] pairs
// a usage with its course where the run matters.
//
// Every refusal is an [*Error] for which errors.Is(err, [ErrInvalid]) holds.
//
// A key may contain ".." and is never a file path, and it is compared byte for byte: no case folding, no normal forms.
package keys
