package bson

import (
	"encoding/binary"
	"math"
	"time"
)

// Type is the type of a value, as the format numbers it.
type Type byte

// The types of values.
const (
	Double     Type = 0x01
	String     Type = 0x02
	Document   Type = 0x03
	Array      Type = 0x04
	Binary     Type = 0x05
	Undefined  Type = 0x06
	ObjectID   Type = 0x07
	Boolean    Type = 0x08
	DateTime   Type = 0x09
	Null       Type = 0x0A
	Regex      Type = 0x0B
	DBPointer  Type = 0x0C
	Code       Type = 0x0D
	Symbol     Type = 0x0E
	ScopedCode Type = 0x0F
	Int32      Type = 0x10
	Timestamp  Type = 0x11
	Int64      Type = 0x12
	Decimal    Type = 0x13
	MinKey     Type = 0xFF
	MaxKey     Type = 0x7F
)

// Value is one value of a document. The zero Value stands for one that is not there. It shares the document's bytes.
type Value struct {
	Type Type
	raw  []byte
}

// ValueOf returns the value of these bytes, which Raw returned of one of that type.
func ValueOf(t Type, raw []byte) Value { return Value{t, raw} }

// Exists reports whether there is a value, null or not.
func (v Value) Exists() bool { return v.Type != 0 }

// IsNull reports whether there is no value or it says nothing: null, or the undefined of old drivers.
func (v Value) IsNull() bool { return v.Type == 0 || v.Type == Null || v.Type == Undefined }

// Raw returns the bytes of the value without type and key.
func (v Value) Raw() []byte { return v.raw }

// Doc returns an embedded document or array; ok is false for any other type.
func (v Value) Doc() (d Doc, ok bool) {
	if v.Type != Document && v.Type != Array {
		return nil, false
	}
	return Doc(v.raw), true
}

// Text returns the bytes of a string, which need not be UTF-8; ok is false for any other type.
func (v Value) Text() (text []byte, ok bool) {
	if v.Type != String && v.Type != Symbol {
		return nil, false
	}
	return v.raw[4 : len(v.raw)-1], true
}

// String returns the text of a string and "" of anything else.
func (v Value) String() string {
	text, _ := v.Text()
	return string(text)
}

// Bytes returns the content of a binary value; ok is false for any other type.
func (v Value) Bytes() (data []byte, ok bool) {
	if v.Type != Binary {
		return nil, false
	}
	data = v.raw[5:]
	if v.raw[4] == 2 && len(data) >= 4 { // the old binary subtype has its length twice
		data = data[4:]
	}
	return data, true
}

// ID returns an ObjectId; ok is false for any other type.
func (v Value) ID() (id [12]byte, ok bool) {
	if v.Type != ObjectID {
		return id, false
	}
	return [12]byte(v.raw), true
}

// Int returns a number of any type as an integer, cut toward zero (modulestore.md OM-16); ok is false for other types and
// for what no int64 holds.
func (v Value) Int() (n int64, ok bool) {
	switch v.Type {
	case Int32:
		return int64(int32(binary.LittleEndian.Uint32(v.raw))), true
	case Int64:
		return int64(binary.LittleEndian.Uint64(v.raw)), true
	case Double:
		f := v.float()
		if f >= -1<<63 && f < 1<<63 {
			return int64(f), true
		}
	}
	return 0, false
}

func (v Value) float() float64 { return math.Float64frombits(binary.LittleEndian.Uint64(v.raw)) }

// Bool returns a boolean; ok is false for any other type.
func (v Value) Bool() (b, ok bool) {
	if v.Type != Boolean {
		return false, false
	}
	return v.raw[0] != 0, true
}

// Time returns a moment in UTC, to the millisecond; ok is false for any other type.
func (v Value) Time() (t time.Time, ok bool) {
	if v.Type != DateTime {
		return t, false
	}
	return time.UnixMilli(int64(binary.LittleEndian.Uint64(v.raw))).UTC(), true
}
