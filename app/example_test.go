package app_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/openlectern/lectern/app"
	"github.com/openlectern/lectern/courseware"
	"github.com/openlectern/lectern/keys"
	"github.com/openlectern/lectern/sample"
)

// A course archive comes in, is edited, published, looked at as it was, and goes out again.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "lectern-example-")
	check(err)
	defer os.RemoveAll(dir)
	src := filepath.Join(dir, "lighthouses") // a folder or an archive
	check(os.CopyFS(src, sample.Course()))

	// Open a store. The database is made when it is not there.
	a, err := app.Open(ctx, app.Config{Data: filepath.Join(dir, "data"), Write: true})
	check(err)
	defer a.Close()

	// Import.
	in, err := a.Import(ctx, src, app.ImportOptions{Message: "first version"})
	check(err)
	fmt.Println(in.Course, "has", in.Created, "blocks")

	// Edit a block, starting from the version that was read.
	problem, err := keys.ParseUsage("block-v1:Lectern+LIGHT+2025+type@problem+block@why_height")
	check(err)
	now, err := a.Blocks(ctx, []keys.Usage{problem}, "draft")
	check(err)
	text := strings.Replace(now[0].OLX, "To keep the lamp dry", "To keep the lamp warm", 1)
	edited, err := a.EditBlocks(ctx, []app.BlockEdit{{Key: problem, OLX: []byte(text), Base: &now[0].Version}}, "warmer")
	check(err)
	fmt.Println("the problem is", edited[0].State, "and its draft version", edited[0].Version)

	// Publish it.
	course, err := keys.ParseCourse(in.Course)
	check(err)
	published, err := a.Publish(ctx, course, []courseware.BlockID{{Type: "problem", Name: "why_height"}}, "")
	check(err)
	fmt.Println("published", published.Entries[0].Key)

	// Read it as it was before that.
	before, err := a.Blocks(ctx, []keys.Usage{problem}, "published~1")
	check(err)
	fmt.Println("before, the lamp was dry:", strings.Contains(before[0].OLX, "lamp dry"))

	// What happened so far.
	history, err := a.History(ctx, course, nil, 3, "")
	check(err)
	for _, e := range history {
		fmt.Println(e.Moment, e.Kind, e.Changes)
	}

	// Export.
	out, err := a.Export(ctx, course, filepath.Join(dir, "lighthouses.tar.gz"), "", nil)
	check(err)
	fmt.Println("exported", out.Files, "files at", out.At)

	// Output:
	// course-v1:Lectern+LIGHT+2025 has 25 blocks
	// the problem is changed and its draft version 2
	// published block-v1:Lectern+LIGHT+2025+type@problem+block@why_height
	// before, the lamp was dry: true
	// p2 publish 1
	// c3 edit 1
	// c2 import 3
	// exported 34 files at p2
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
