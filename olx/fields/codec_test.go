package fields

import (
	"fmt"
	"testing"
	"time"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/pyjson"
)

// values are values of every type for law 15.
var values = map[Type][]courseware.Value{
	String: {
		`""`, `"a"`, `"null"`, `"true"`, `"3.4"`, `"[1]"`, `"{}"`, `"\"x\""`, `"NaN"`, `"ü😀 \n\t\"'<>&]]>"`, `" a "`, `"\\"`,
		`"\r"`, `"2020-01-01"`, `"~"`, `"yes"`,
	},
	Integer:      {"0", "-1", "9223372036854775808", "123456789012345678901234567890", "3.48", `"12"`, `""`},
	Float:        {"0.1", "1.0", "1e-05", "1e+16", "-0.0", "1", "0.10", `"1.5"`},
	Boolean:      {"true", "false", `"true"`, `"True"`, `"yes"`, "1", "0", `""`, "[]"},
	List:         {"[]", "[1, 2]", `["ü😀\n\"<&", null, {"b": 1, "a": 1.0}]`, `[[["x"]]]`},
	Dict:         {"{}", `{"18587404": [1819362822]}`, `{"a": {"b": [null, true, 0.10]}, "c": "ü"}`},
	Date:         {`"2020-05-01T00:00:00Z"`, `"2020-05-01T00:00:00+02:00"`, `""`, `"soon"`},
	Timedelta:    {`"2 days 3600 seconds"`, `"1 days"`, `""`, `"soon"`},
	RelativeTime: {`"00:01:30"`, `"23:59:59"`, "12.5", `"later"`},
	Key:          {`"i4x://o/c/html/h"`},
	KeyList:      {`["i4x://o/c/html/h"]`},
	KeyMap:       {`{"0": "block-v1:o+c+r+type@vertical+block@v"}`},
}

// TestLaw15 checks that every value can be written and read in both dialects.
func TestLaw15(t *testing.T) {
	t.Parallel()
	for typ, list := range values {
		for _, v := range append(list, courseware.Null) {
			if n := Normal(typ, v); n != v {
				t.Errorf("Normal(%v, %s) = %s", typ, v, n)
			}
			text := WriteLegacy(typ, v)
			if got, _ := ReadLegacy(typ, text); got != v {
				t.Errorf("type %v, dialect L: %s is written %q and read %s", typ, v, text, got)
			}
			text, ok := WritePure(typ, v)
			if !ok {
				if typ != String && typ != Key || v != courseware.Null {
					t.Errorf("type %v, dialect P: %s cannot be written", typ, v)
				}
				continue
			}
			want := Value(Parse(v).Sorted())
			if got, _ := ReadPure(typ, text); got != want {
				t.Errorf("type %v, dialect P: %s is written %q and read %s", typ, v, text, got)
			}
		}
	}
}

// TestLegacy holds laws 16 to 19 and 23, and the examples of olx.md §1.8.1.
func TestLegacy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ   Type
		text  string
		want  courseware.Value
		write string
	}{
		{String, "3.4", `"3.4"`, "3.4"},
		{String, "true", `"true"`, "true"},
		{String, "[1]", `"[1]"`, "[1]"},
		{String, "{}", `"{}"`, "{}"},
		{String, `"x"`, `"x"`, "x"},
		{String, "null", "null", "null"},
		{Boolean, "True", `"True"`, "True"},
		{Boolean, `"true"`, `"true"`, `"true"`},
		{Integer, "3.48", "3.48", "3.48"},
		{Integer, `"3"`, `"3"`, `"3"`},
		{Integer, "three", `"three"`, "three"},
		{Float, "123456789012345678901234567890", "123456789012345678901234567890", "123456789012345678901234567890"},
		{Float, "1e-05", "1e-05", "1e-05"},
		{Float, "NaN", "NaN", "NaN"},
		{Dict, `{"18587404":[1819362822]}`, `{"18587404": [1819362822]}`, `{"18587404": [1819362822]}`},
		{Dict, `{"b":1,"a":"ü😀"}`, `{"b": 1, "a": "ü😀"}`, `{"b": 1, "a": "\u00fc\ud83d\ude00"}`},
		{Dict, `[1]`, `"[1]"`, "[1]"},
		{List, "oops", `"oops"`, "oops"},
		{Timedelta, "2 hours", `"7200 seconds"`, "7200 seconds"},
		{Timedelta, "1 day 1 hour 1 minute 1 second", `"1 days 3661 seconds"`, "1 days 3661 seconds"},
		{Timedelta, "soon", `"soon"`, "soon"},
		{Timedelta, "", `""`, ""},
		{Date, "2020-05-01", `"2020-05-01T00:00:00Z"`, "2020-05-01T00:00:00Z"},
		{Date, `"2020-05-01"`, `"2020-05-01T00:00:00Z"`, "2020-05-01T00:00:00Z"},
		{Date, "2020-05-01T10:00:00.25+00:00", `"2020-05-01T10:00:00Z"`, "2020-05-01T10:00:00Z"},
		{Date, "2020-05-01T10:00:00+02:00", `"2020-05-01T10:00:00+02:00"`, "2020-05-01T10:00:00+02:00"},
		{Date, "May 1, 2020 12:30", `"2020-05-01T12:30:00Z"`, "2020-05-01T12:30:00Z"},
		{Date, "1588291200000", `"2020-05-01T00:00:00Z"`, "2020-05-01T00:00:00Z"},
		{Date, "May 2020", `"May 2020"`, "May 2020"},
		{Date, "May 1", `"May 1"`, "May 1"},
		{RelativeTime, "90", `"00:01:30"`, "00:01:30"},
		{RelativeTime, "0:1:30", `"00:01:30"`, "00:01:30"},
		{RelativeTime, "25:00:00", `"25:00:00"`, "25:00:00"},
	} {
		got, _ := ReadLegacy(c.typ, c.text)
		if got != c.want {
			t.Errorf("ReadLegacy(%v, %q) = %s, want %s", c.typ, c.text, got, c.want)
		}
		if text := WriteLegacy(c.typ, got); text != c.write {
			t.Errorf("WriteLegacy(%v, %s) = %q, want %q", c.typ, got, text, c.write)
		}
	}
}

func TestPure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		typ   Type
		text  string
		want  courseware.Value
		write string
	}{
		{String, "null", `"null"`, "null"},
		{String, `"x"`, `"\"x\""`, `"x"`},
		{Integer, "null", "null", "null"},
		{Integer, "", "null", "null"},
		{Integer, "+1_000", "1000", "1000"},
		{Float, ".5", "0.5", "0.5"},
		{Float, "05.", "5.0", "5.0"},
		{Float, "-1.50e+3", "-1.50e+3", "-1.50e+3"},
		{Float, ".inf", "Infinity", "Infinity"},
		{Boolean, "Yes", "true", "true"},
		{Boolean, "off", "false", "false"},
		{Boolean, "maybe", `"maybe"`, `"maybe"`},
		{Dict, `{"b":{"d":1,"c":2},"a":[]}`, `{"a": [], "b": {"c": 2, "d": 1}}`, "{\n  \"a\": [],\n  \"b\": {\n    \"c\": 2,\n    \"d\": 1\n  }\n}"},
		{List, "&a [*a]", `"&a [*a]"`, `"&a [*a]"`},
		{Date, `"2020-05-01T00:00:00Z"`, `"2020-05-01T00:00:00Z"`, `"2020-05-01T00:00:00Z"`},
		{Date, "2020-05-01", `"2020-05-01T00:00:00Z"`, `"2020-05-01T00:00:00Z"`},
	} {
		got, _ := ReadPure(c.typ, c.text)
		if got != c.want {
			t.Errorf("ReadPure(%v, %q) = %s, want %s", c.typ, c.text, got, c.want)
		}
		if text, ok := WritePure(c.typ, got); text != c.write || !ok {
			t.Errorf("WritePure(%v, %s) = %q, want %q", c.typ, got, text, c.write)
		}
	}
}

// TestLaw17 is about what a stored value counts as.
func TestLaw17(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"true": true, "True": true, `"true"`: true, "1": true, "0.5": true, "[0]": true,
		"false": false, "yes": false, "0": false, "": false, "-0.0e5": false, "null": false, "{}": false,
	} {
		v, _ := ReadLegacy(Boolean, text)
		if Bool(v) != want {
			t.Errorf("%q counts as %v", text, !want)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	may := time.Date(2020, 5, 1, 0, 0, 0, 0, time.UTC)
	if got, ok := Time(`"2020-05-01"`); !ok || !got.Equal(may) {
		t.Errorf("got %v, %v", got, ok)
	}
	for _, v := range []courseware.Value{`"May 2020"`, `""`, "null", "[]", `"10:00 XYZ"`, `"2020-05-01 10:00 EST"`} {
		if got, ok := Time(v); ok {
			t.Errorf("%s is the time %v", v, got)
		}
	}
	for v, want := range map[courseware.Value]time.Duration{`"7200 seconds"`: 2 * time.Hour, `"1 day"`: 24 * time.Hour, `""`: 0} {
		if got, ok := Duration(v); !ok || got != want {
			t.Errorf("%s is %v", v, got)
		}
	}
	for v, want := range map[courseware.Value]time.Duration{`"00:01:30"`: 90 * time.Second, "1.5": 1500 * time.Millisecond} {
		if got, ok := Relative(v); !ok || got != want {
			t.Errorf("%s is %v", v, got)
		}
	}
	for _, v := range []courseware.Value{`"soon"`, "null", `"99999999999999999999 days"`} {
		if got, ok := Duration(v); ok {
			t.Errorf("%s is %v", v, got)
		}
	}
	if Readable(Timedelta, `"soon"`) || Readable(Date, `"May 2020"`) || !Readable(Date, `""`) || !Readable(Integer, "null") {
		t.Error("Readable")
	}
}

// TestTables checks that the tables say sensible things of every field.
func TestTables(t *testing.T) {
	t.Parallel()
	tags := map[string]bool{}
	for i := range blocks {
		b := &blocks[i]
		if tags[b.Tag] || Lookup(b.Tag) != b {
			t.Errorf("the type %s stands twice", b.Tag)
		}
		tags[b.Tag] = true
		seen := map[string]bool{}
		for _, f := range b.Fields {
			if seen[f.Name] || f.Name == "" {
				t.Errorf("%s: the field %q stands twice", b.Tag, f.Name)
			}
			seen[f.Name] = true
			if f.Default == "" || Normal(f.Type, f.Default) != f.Default || !Readable(f.Type, f.Default) {
				t.Errorf("%s.%s: the default %q is none of its type", b.Tag, f.Name, f.Default)
			}
			if got, ok := b.Field(f.Name); !ok || got != f {
				t.Errorf("%s.%s is not found", b.Tag, f.Name)
			}
		}
		for _, name := range b.Leading {
			if !seen[name] {
				t.Errorf("%s: no field %s", b.Tag, name)
			}
		}
	}
	if _, ok := Lookup("problem").Field("xml_attributes"); ok || Lookup("mystery") != nil {
		t.Error("found what there is not")
	}
}

func FuzzCodec(f *testing.F) {
	for typ, list := range values {
		for _, v := range list {
			f.Add(uint8(typ), string(v))
			f.Add(uint8(typ), WriteLegacy(typ, v))
		}
	}
	f.Add(uint8(Float), "1_0._5e+3")
	f.Fuzz(func(t *testing.T, typ uint8, text string) {
		at := Type(typ % uint8(KeyMap+1))
		for name, codec := range map[string]struct {
			read  func(Type, string) (courseware.Value, []string)
			write func(Type, courseware.Value) string
		}{
			"L": {ReadLegacy, WriteLegacy},
			"P": {ReadPure, func(t Type, v courseware.Value) string { s, _ := WritePure(t, v); return s }},
		} {
			v, _ := codec.read(at, text)
			if _, _, err := pyjson.Parse(string(v)); err != nil {
				t.Fatalf("%s: %q is read as %s, which is no JSON: %v", name, text, v, err)
			}
			if n := Normal(at, v); n != v {
				t.Fatalf("%s: %q is read as %s, which is normally %s", name, text, v, n)
			}
			written := codec.write(at, v)
			back, _ := codec.read(at, written)
			if name == "P" && v == courseware.Null && (at == String || at == Key) {
				continue
			}
			if back != v {
				t.Fatalf("%s: type %v: %q is read %s, written %q, read %s", name, at, text, v, written, back)
			}
		}
	})
}

func ExampleWriteLegacy() {
	fmt.Println(WriteLegacy(Dict, `{"18587404": [1819362822]}`))
	fmt.Println(WriteLegacy(String, `"plain"`))
	fmt.Println(WriteLegacy(Timedelta, `"2 hours"`))
	// Output:
	// {"18587404": [1819362822]}
	// plain
	// 7200 seconds
}
