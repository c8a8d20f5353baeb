package modulestore

import (
	"cmp"
	"slices"
)

// Rule names a kind of anomaly, by its name in modulestore.md.
type Rule string

// The anomalies of the old store (modulestore.md §1).
const (
	ShuffledID      Rule = "A1"
	DanglingChild   Rule = "A2"
	ForeignChild    Rule = "A3"
	ChildTwice      Rule = "A4"
	ManyParents     Rule = "A5"
	Cycle           Rule = "A6"
	DraftOfDirect   Rule = "A7"
	ParentElsewhere Rule = "A8"
	NoDefinition    Rule = "A9"
	NoMetadata      Rule = "A10"
	IllegalName     Rule = "A11"
	UnknownType     Rule = "A12"
	NoRoot          Rule = "A13"
	CaseTwin        Rule = "A14"
	UncleanText     Rule = "A15"
	TwoRoots        Rule = "A16"
	RootDraft       Rule = "A17"
	DetachedChild   Rule = "A18"
	NoRevision      Rule = "OM-6"
	NullData        Rule = "OM-8"
	BothScopes      Rule = "OM-12"
	OldEditInfo     Rule = "OM-24"
	MovedMeanwhile  Rule = "OM-33"
	LocationMap     Rule = "5.2"
	DuplicateBlock  Rule = "OM-5"
	OddDocument     Rule = "OM-1"
)

// The anomalies of the versioned store, of files, and of whole sources (modulestore.md §2, §3).
const (
	NoBranch          Rule = "SP-1"
	IndexesDiffer     Rule = "SP-6"
	OldIndex          Rule = "2.1"
	SameBlock         Rule = "SP-12"
	OldSchema         Rule = "SP-17"
	MissingDefinition Rule = "SP-20"
	ManyRoots         Rule = "4.8"
	SplitDangling     Rule = "L-72"
	NotInDraft        Rule = "L-73"
	MissingHead       Rule = "PR-7"
	TruncatedHistory  Rule = "PR-7b"
	Unlisted          Rule = "L-70"
	BadFile           Rule = "GF-15"
	JunkFile          Rule = "GF-12"
	LostFile          Rule = "GF-2"
	FileTwice         Rule = "GF-8"
	LeftFiles         Rule = "L-80"
	BadKey            Rule = "CV-3"
	LongKey           Rule = "CV-5"
	Unreadable        Rule = "unreadable"
)

var texts = map[Rule]string{
	ShuffledID: "keys of _id in another order, a twin of a block or invisible to Open edX", DanglingChild: "child that is nowhere",
	ForeignChild: "child of another course", ChildTwice: "child listed twice by one parent", ManyParents: "child with several parents",
	Cycle: "block below itself", DraftOfDirect: "draft of a type that has none; not read", ParentElsewhere: "block whose parents are all in the other view",
	NoDefinition: "no definition", NoMetadata: "no metadata", IllegalName: "name with characters that new keys refuse",
	UnknownType: "block type that is not known here", NoRoot: "blocks without a course", CaseTwin: "differs from another course by case alone",
	UncleanText: "text with NUL or bytes that are not UTF-8", TwoRoots: "several courses share these blocks", RootDraft: "course root with a draft; not read",
	DetachedChild: "page listed as a child", NoRevision: "no revision, taken as published", NullData: "data that is null",
	BothScopes: "field both in the settings and in the content", OldEditInfo: "edit times in the form before 2014",
	MovedMeanwhile: "changed while it was read",
	LocationMap:    "a map of block names of 2013; not used", DuplicateBlock: "block that is there twice; the first counts",
	OddDocument: "document that is no block",
	NoBranch:    "branch missing", IndexesDiffer: "the two indexes of courses differ", OldIndex: "index row of 2013, without course and run",
	SameBlock: "block that is twice in one structure; the last counts", OldSchema: "structure in the form of 2013, which is not read",
	MissingDefinition: "block without its definition, read with settings only", ManyRoots: "several roots in one structure",
	SplitDangling: "child that is not in the structure", NotInDraft: "published block that the draft lacks", MissingHead: "head that is not in the source",
	TruncatedHistory: "history that ends in a version that is not there", Unlisted: "block that no block lists",
	BadFile: "file with missing or wrong bytes", JunkFile: "file that systems leave behind", LostFile: "bytes without a file", FileTwice: "file whose name another one has too", LeftFiles: "files of a course that is not there",
	BadKey: "key that is none today", LongKey: "key of more than 255 characters", Unreadable: "cannot be read",
}

// Text says in words what the rule is about.
func (r Rule) Text() string { return texts[r] }

// Problem is an anomaly with how often it was met.
type Problem struct {
	Rule  Rule
	Count int
	First string // where it was met first, in words: a block, a file
}

// Tally counts anomalies. The zero Tally is empty. Not safe for concurrent use.
type Tally struct{ list []Problem }

// Add counts one anomaly at a place.
func (t *Tally) Add(r Rule, where string) {
	if i := t.index(r); i >= 0 {
		t.list[i].Count++
		return
	}
	t.list = append(t.list, Problem{r, 1, where})
}

// Merge adds what another tally counted.
func (t *Tally) Merge(o Tally) {
	for _, p := range o.list {
		if i := t.index(p.Rule); i >= 0 {
			t.list[i].Count += p.Count
		} else {
			t.list = append(t.list, p)
		}
	}
}

func (t *Tally) index(r Rule) int {
	return slices.IndexFunc(t.list, func(p Problem) bool { return p.Rule == r })
}

// Count returns how often a rule was met.
func (t *Tally) Count(r Rule) int {
	if i := t.index(r); i >= 0 {
		return t.list[i].Count
	}
	return 0
}

// Problems returns what was counted, ordered by the names of the rules.
func (t *Tally) Problems() []Problem {
	return slices.SortedFunc(slices.Values(t.list), func(a, b Problem) int {
		return cmp.Or(cmp.Compare(len(a.Rule), len(b.Rule)), cmp.Compare(a.Rule, b.Rule))
	})
}
