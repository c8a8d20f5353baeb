package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// without are exported functions of the package that are no use cases, and why.
var without = map[string]string{
	"Open":           "opens the store for an actor, whom it looks up",
	"Close":          "ends what Open began",
	"As":             "says who the actor is",
	"Actor":          "tells who the actor is",
	"System":         "is an actor",
	"Person":         "is an actor",
	"Name":           "of an actor",
	"String":         "of a permission",
	"Watch":          "keeps memory current",
	"Engine":         "answers about permissions; who asks says for whom",
	"Update":         "the transaction that use cases run in",
	"OK":             "of a result",
	"LastEdit":       "of a result",
	"FailedSources":  "of a result",
	"OpenAnyAge":     "opens the store for nobody",
	"OpenSplitLMS":   "reads the database that its caller names",
	"New":            "makes a store of nobody's",
	"Ready":          "makes tables when a server starts",
	"HasPermissions": "looks at tables only",
	"Ping":           "asks whether the database answers",
	"SecretFile":     "of a configuration",
	"SignIn":         "says who somebody is, before which nobody may do anything",
	"FirstLink":      "makes the first user when a server starts",
	"Blocked":        "asks whether tables are being changed; tells no content",
	"Validate":       "reads an archive that the caller has, and no store",
	"VerifyBackup":   "reads an archive that the caller has, and no store",
	"CheckImport":    "reads an archive that the caller has, and no store",
	"ReadSplitIndex": "reads a file or another server that the caller has, and no store",
	"ReadSplitPins":  "reads a file that the caller has, and no store",
	"SplitReader":    "reads a dump or another server that the caller has, and no store",
	"SplitDatabase":  "opens another server that the caller has, and no store",
	"CheckConvert":   "looks at a dump or another server that the caller has, and no store",
	"KeyMaps":        "of a configuration",
	"Failed":         "of a result",
	"ListOldSite":    "reads a dump or another server that the caller has, and no store",
	"Here":           "asks for what List shows, which asks",
	"Authoring":      "tells how permissions are decided",
	"Recorded":       "writes down that a command does a use case, which asks",
	"WatchRoles":     "asks for each of its looks",
	"NotOld":         "refuses keys by their form, whoever asks",
	"CountRefusals":  "writes down what the gate has counted",
}

// TestEveryUseCaseAsks walks the exported functions and methods of the package: each has a permission and asks the gate by
// its own name, or is known to be no use case.
func TestEveryUseCaseAsks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for name, f := range exported(t) {
		seen[name] = true
		_, declared := useCases[name]
		switch _, known := without[name]; {
		case declared && known:
			t.Errorf("%s is a use case and is none", name)
		case known:
		case !declared:
			t.Errorf("%s has no permission: say in useCases whom it is for", name)
		case !asks(f, name):
			t.Errorf("%s does not ask whether its actor may: call a.may(ctx, %q) or one of its kind first", name, name)
		}
	}
	for name := range useCases {
		if !seen[name] {
			t.Errorf("there is no use case %s", name)
		}
	}
	for name := range without {
		if !seen[name] {
			t.Errorf("there is no function %s", name)
		}
	}
}

// exported returns the declarations of the package's exported functions and methods of exported types.
func exported(t *testing.T) map[string]*ast.FuncDecl {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*ast.FuncDecl{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if ok && f.Name.IsExported() && (f.Recv == nil || ast.IsExported(receiver(f))) {
				all[f.Name.Name] = f
			}
		}
	}
	if len(all) < 50 {
		t.Fatalf("found %d functions only", len(all))
	}
	return all
}

func receiver(f *ast.FuncDecl) string {
	x := f.Recv.List[0].Type
	if p, ok := x.(*ast.StarExpr); ok {
		x = p.X
	}
	if id, ok := x.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// gates are the functions by which use cases ask.
var gates = []string{"may", "mayCourse", "mayBlocks", "mayMake", "mayRestore", "mayAccount", "mayAdd", "mayJob", "mayTeams", "visible", "onDatabase", "onPlan"}

// asks reports whether the function calls one of gates with its own name.
func asks(f *ast.FuncDecl, name string) bool {
	found := false
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		called := ""
		switch fn := call.Fun.(type) {
		case *ast.Ident:
			called = fn.Name
		case *ast.SelectorExpr:
			called = fn.Sel.Name
		}
		if slices.Contains(gates, called) {
			for _, arg := range call.Args {
				if l, ok := arg.(*ast.BasicLit); ok && l.Value == strconv.Quote(name) {
					found = true
				}
			}
		}
		return true
	})
	return found
}

func TestPermissionsAreOpenEdxs(t *testing.T) {
	t.Parallel()
	shipped := shippedActions()
	for _, name := range slices.Sorted(maps.Keys(useCases)) {
		p := useCases[name]
		for _, action := range []string{p.course, p.library} {
			if action != "" && !shipped[action] {
				t.Errorf("%s asks for %s, which no role has", name, action)
			}
		}
		if p.who == allowed && p.course == "" && p.library == "" || p.who == 0 || p.String() == "" {
			t.Errorf("%s is for %q", name, p)
		}
	}
	for block, action := range blockActions {
		if !shipped[action] {
			t.Errorf("blocks of type %s ask for %s, which no role has", block, action)
		}
	}
}
