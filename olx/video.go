package olx

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/olx/fields"
	"github.com/openlectern/lectern/olx/pyjson"
	"github.com/openlectern/lectern/olx/xmltree"
)

// speeds are the playing speeds of the youtube attribute and the fields of their ids, in the order they are written.
var speeds = [...]struct {
	speed, field string
	standard     bool // has a video when it is not set
}{
	{"0.75", "youtube_id_0_75", false},
	{"1.00", "youtube_id_1_0", true},
	{"1.25", "youtube_id_1_25", false},
	{"1.50", "youtube_id_1_5", false},
}

// videoBody reads what a video says in child elements and in the youtube attribute (olx.md §6.4). The attributes have
// been read.
func (d decoder) videoBody(b *courseware.Block, n *xmltree.Node) {
	set := func(name string, v courseware.Value) { setField(b, name, v) }
	src := func(c *xmltree.Node) courseware.Value {
		s, _ := c.Attr("src")
		return courseware.Text(s)
	}
	var sources []pyjson.Value
	transcripts, at := pyjson.Value{Kind: pyjson.Object}, map[string]int{}
	var asides [][]byte
	_, saysTrack := b.Fields.Lookup("download_track")
	for _, c := range n.Children {
		if c.Kind != xmltree.Element {
			if c.Kind == xmltree.Text || c.Kind == xmltree.CData {
				d.strayText(n, c)
			}
			continue
		}
		switch name := c.Name.String(); {
		case isAside(c):
			asides = append(asides, []byte(c.Opaque()))
		case isMeta(c):
		case name == "source":
			s, _ := c.Attr("src")
			sources = append(sources, pyjson.Str(s))
		case name == "track":
			set("track", src(c))
			if !saysTrack {
				set("download_track", "true")
			}
		case name == "handout":
			set("handout", src(c))
		case name == "transcript":
			language, _ := c.Attr("language")
			s, _ := c.Attr("src")
			if i, again := at[language]; again {
				transcripts.Items[i].Text = s
				continue
			}
			at[language] = len(transcripts.Keys)
			transcripts.Keys, transcripts.Items = append(transcripts.Keys, language), append(transcripts.Items, pyjson.Str(s))
		default:
			b.Nodes = append(b.Nodes, []byte(c.Opaque()))
		}
	}
	b.Nodes = append(b.Nodes, asides...)
	// Child elements win over attributes; those that say the same leave the attribute its own spelling.
	override := func(name string, v pyjson.Value) {
		if old, _ := b.Fields.Lookup(name); len(v.Items) > 0 && !pyjson.Equal(texts(fields.Parse(old)), v) {
			if old == "" && slices.Contains(fields.Lookup("video").Leading, name) {
				b.Fields = slices.Insert(b.Fields, 0, courseware.Field{Name: name})
			}
			set(name, fields.Value(v))
		}
	}
	override("html5_sources", pyjson.Value{Kind: pyjson.Array, Items: sources})
	override("transcripts", transcripts)
	d.youtube(b, n, sources != nil)
}

// texts returns a list or an object with its values as the texts that attributes would hold.
func texts(v pyjson.Value) pyjson.Value {
	out := pyjson.Value{Kind: v.Kind, Keys: v.Keys}
	for _, item := range v.Items {
		out.Items = append(out.Items, pyjson.Str(attrText(item)))
	}
	return out
}

// youtube sets the ids of the youtube attribute. It is the older form: a field that has an attribute of its own wins. An
// empty attribute beside sources says that there is no such video, not even the default one.
func (d decoder) youtube(b *courseware.Block, n *xmltree.Node, sources bool) {
	text, ok := n.Attr("youtube")
	if !ok {
		return
	}
	ids := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		number, id, found := strings.Cut(part, ":")
		speed, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !found || err != nil {
			d.note.warn(n.File(), n.AttrLine("youtube"), ruleSetting, "write it like 1.00:ID",
				"a part of the youtube attribute has no speed or no id and is left out")
			continue
		}
		id, _, _ = strings.Cut(id, ":")
		if v, _ := fields.ReadLegacy(fields.String, id); !v.IsNull() { // ids were quoted as JSON for a while
			id, _ = v.Text()
		}
		ids[strconv.FormatFloat(speed, 'f', 2, 64)] = id
	}
	for _, s := range speeds {
		_, own := n.Attr(s.field)
		if id := ids[s.speed]; !own && (id != "" || sources && s.standard) { // the others are empty when not given
			setField(b, s.field, courseware.Text(id))
		}
	}
}

// youtubeText returns the youtube attribute, "" for none: the ids that the block has itself.
func youtubeText(b *courseware.Block) string {
	var parts []string
	for _, s := range speeds {
		if id, _ := b.Fields.Text(s.field); id != "" {
			parts = append(parts, s.speed+":"+id)
		}
	}
	return strings.Join(parts, ",")
}

// videoChildren returns the child elements of a video in their order: source, track, handout, what is kept as it is,
// transcript (olx.md §1.7). A track element says by itself that the transcript can be downloaded, so there is none while
// the block leaves that open.
func videoChildren(b *courseware.Block) (before, after []*xmltree.Elem) {
	value := func(name string) pyjson.Value {
		v, ok := b.Fields.Lookup(name)
		if !ok {
			return pyjson.Value{}
		}
		return fields.Parse(v)
	}
	for _, s := range value("html5_sources").Items {
		before = append(before, xmltree.NewElem("source").Set("src", attrText(s)))
	}
	_, open := b.Fields.Lookup("download_track")
	for _, name := range [...]string{"track", "handout"} {
		if v := value(name); v.Text != "" && v.Kind == pyjson.String && (name != "track" || open) {
			before = append(before, xmltree.NewElem(name).Set("src", v.Text))
		}
	}
	transcripts := value("transcripts")
	if transcripts.Kind != pyjson.Object {
		return before, nil
	}
	languages := map[string]string{}
	for i, l := range transcripts.Keys {
		languages[l] = attrText(transcripts.Items[i])
	}
	for _, l := range slices.Sorted(maps.Keys(languages)) {
		after = append(after, xmltree.NewElem("transcript").Set("language", l).Set("src", languages[l]))
	}
	return before, after
}
