package convert

import (
	"maps"
	"slices"
	"strings"

	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/olx/fields"
)

// Break is something that does not go on as before even after a conversion without fault (modulestore.md §5.7).
type Break struct {
	What  string `json:"what"`
	Text  string `json:"text"`
	Count *int   `json:"count"` // nil where it cannot be known here
}

// count counts blocks and names.
func (c *converter) count(r *Report) {
	r.Blocks.Types = map[string]int{}
	r.Blocks.Inside = len(c.inside)
	folded := map[string]courseware.BlockID{}
	for _, id := range c.ids.list {
		r.Blocks.Types[id.Type]++
		if c.src.Draft.Block(id) != nil {
			r.Blocks.Draft++
		}
		switch {
		case c.src.Published != nil && c.src.Published.Block(id) != nil:
			r.Blocks.Published++
		default:
			r.Blocks.Private++
		}
		if modulestore.IsDetached(id.Type) {
			r.Blocks.Pages++
		}
		if reason := c.ids.of[id].reason; reason == ReasonName || reason == ReasonType {
			r.Renamed++
		}
		lower := strings.ToLower(id.String())
		if twin, has := folded[lower]; has {
			r.CaseTwins = append(r.CaseTwins, twin.String()+" and "+id.String())
		}
		folded[lower] = id
	}
}

// breaks says what does not go on as before where a course gets another key.
func (c *converter) breaks(r *Report, st courseware.State) {
	if c.key == c.src.Key {
		return
	}
	drafts := st.Draft
	if drafts == nil {
		drafts = st.Published
	}
	var graded, talks, personal, paths, unknown int
	for _, b := range drafts.Blocks {
		v, _ := b.Fields.Lookup("has_score")
		isTool := b.ID.Type == "lti" || b.ID.Type == "lti_consumer"
		if isTool && fields.Bool(v) {
			graded++
		}
		if b.ID.Type == "discussion" {
			talks++
		}
		spec := fields.Lookup(b.ID.Type)
		switch {
		case spec == nil || b.Opaque:
			unknown++
		case isTool || (spec.Class == fields.Pure || spec.Class == fields.Assessment) && !spec.Container() && b.ID.Type != "discussion":
			personal++
		}
		if path, _ := b.Fields.Text("static_asset_path"); path != "" {
			paths++
		}
	}
	wiki := 1
	if c.o.RemapWiki {
		wiki = 0
	}
	add := func(what, text string, n *int) { r.Breaks = append(r.Breaks, Break{what, text, n}) }
	add("course_urls", "bookmarked addresses below /courses/ lead to the old course", nil)
	add("lti_grades", "tools that send grades know the old key", &graded)
	add("forum_threads", "threads are kept under the old key of the course; these blocks show some", &talks)
	add("certificates", "addresses of certificates name the old key", nil)
	add("wiki", "the wiki stays that of the old course", &wiki)
	add("analytics", "figures are kept under the old key", nil)
	add("html_ids", "scripts and styles that name elements by their old ids were rewritten in these blocks: look at them", &r.Links[7].Blocks)
	add("static_asset_path", "files of these blocks lie outside the content store", &paths)
	add("block_types", "blocks of types that are not known here are kept and not shown", &unknown)
	add("jump_links", "links that jump to a name which several blocks have, or none", &r.Links[3].Odd)
	add("anonymous_ids", "these blocks know a learner by an id that another key changes", &personal)
	add("search", "the search index does not have the new course yet", nil)
	add("mobile", "links from apps lead to the old course", nil)
}

// files returns the names of files that the course names and does not have. Where no files were given none are looked for.
func (c *converter) files(st courseware.State) []string {
	if c.src.Assets == nil {
		return nil
	}
	missing := map[string]bool{}
	maps.Copy(missing, c.notes.missing)
	want := func(name string) {
		if name != "" && !strings.Contains(name, "://") && !c.texts.hasAsset(cleanName(strings.TrimPrefix(name, "/static/"))) {
			missing[name] = true
		}
	}
	for _, tree := range [...]*courseware.Course{st.Published, st.Draft} {
		if tree == nil {
			continue
		}
		root := tree.Blocks[tree.Root]
		if path, _ := root.Fields.Text("static_asset_path"); path == "" {
			for _, name := range [...]string{"course_image", "banner_image", "video_thumbnail_image"} {
				image, _ := root.Fields.Text(name)
				want(image)
			}
		}
		for id, b := range tree.Blocks {
			if id.Type != "video" {
				continue
			}
			if v, ok := b.Fields.Lookup("transcripts"); ok {
				for _, name := range fields.Parse(v).Items {
					want(name.Text)
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(missing))
}

// formats returns the assignment types that sections have and the grading policy lacks: they count for nothing
// (modulestore.md §5.5).
func (c *converter) formats(st courseware.State) []string {
	known := map[string]bool{}
	graders, _ := fields.Parse(courseware.Value(st.Published.GradingPolicy)).Lookup("GRADER")
	for _, g := range graders.Items {
		kind, _ := g.Lookup("type")
		known[kind.Text] = true
	}
	lost := map[string]bool{}
	for _, b := range st.Published.Blocks {
		if format, _ := b.Fields.Text("format"); format != "" && !known[format] && b.ID.Type == "sequential" {
			lost[format] = true
		}
	}
	return slices.Sorted(maps.Keys(lost))
}

// cleanName is the name that a file has in its key (GF-8).
func cleanName(name string) string {
	return strings.Map(func(r rune) rune {
		if r == ':' || r == '~' || !isName(r) && r != '%' {
			return '_'
		}
		return r
	}, name)
}
