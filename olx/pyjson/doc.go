// Package pyjson reads JSON without losing anything of it and writes it as Python's json module does, which is the form
// that archives hold (olx.md §1.8.4): the order of keys is kept, and numbers keep their spelling because they never pass
// through a float.
package pyjson
