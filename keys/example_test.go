package keys_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/openlectern/lectern/keys"
)

func ExampleParseCourse() {
	c, err := keys.ParseCourse("course-v1:edX+DemoX+Demo_Course+branch@draft-branch")
	if err != nil {
		fmt.Println(err)
		return
	}
	run, _ := c.Run()
	branch, _ := c.Branch()
	fmt.Println(c.Org(), c.Code(), run, branch)
	stored, _ := c.Stored()
	fmt.Println(stored)

	_, err = keys.ParseCourse("course-v1:edX+DemoX")
	fmt.Println(err, errors.Is(err, keys.ErrInvalid))
	// Output:
	// edX DemoX Demo_Course draft-branch
	// course-v1:edX+DemoX+Demo_Course
	// course key "course-v1:edX+DemoX": want ORG+COURSE+RUN true
}

func ExampleCourse_Usage() {
	c, err := keys.NewCourse("edX", "DemoX", "2026")
	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := c.Usage("problem", "p1")
	fmt.Println(u, err)
	_, err = c.Usage("problem", "p 1")
	fmt.Println(err)
	// Output:
	// block-v1:edX+DemoX+2026+type@problem+block@p1 <nil>
	// usage key "p 1": not a block id
}

// An i4x key does not say which run of the course it is in.
func ExampleUsage_Within() {
	u, err := keys.ParseUsage("i4x://edX/DemoX/html/welcome")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, ok := u.Course()
	fmt.Println("knows its course:", ok)
	seen := map[keys.InCourse]bool{}
	for _, run := range []string{"2012", "2013"} {
		c, err := keys.NewSlashCourse("edX", "DemoX", run)
		if err != nil {
			fmt.Println(err)
			return
		}
		in, err := u.Within(c)
		if err != nil {
			fmt.Println(err)
			return
		}
		seen[in] = true
	}
	fmt.Println(len(seen), "blocks")
	// Output:
	// knows its course: false
	// 2 blocks
}

// A block of an old course gets its key in the new course.
func ExampleUsage_In() {
	u, err := keys.ParseUsage("i4x://edX/DemoX/html/welcome@draft")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := keys.ParseCourse("course-v1:edX+DemoX+2026")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(u.In(c))
	// Output: block-v1:edX+DemoX+2026+type@html+block@welcome <nil>
}

func ExampleContext_Container() {
	lib, err := keys.NewLibrary("edX", "physics")
	if err != nil {
		fmt.Println(err)
		return
	}
	unit, err := lib.Container("unit", "waves")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(unit, unit.Library())
	// Output: lct:edX:physics:unit:waves lib:edX:physics
}

// Keys sort by their fields, which is not the order of their texts.
func ExampleCourse_Compare() {
	var courses []keys.Course
	for _, s := range []string{"a-b/x/r", "a/x/r"} {
		c, err := keys.ParseCourse(s)
		if err != nil {
			fmt.Println(err)
			return
		}
		courses = append(courses, c)
	}
	slices.SortFunc(courses, keys.Course.Compare)
	fmt.Println(courses)
	// Output: [a/x/r a-b/x/r]
}

func ExampleParse() {
	k, err := keys.Parse("slashes:edX+DemoX+2026")
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := json.Marshal(keys.Describe(k))
	fmt.Println(string(b), err)
	// Output:
	// {"kind":"course","org":"edX","course":"DemoX","run":"2026","type":null,"id":null,"branch":null,"version":null,"deprecated":false,"canonical":"course-v1:edX+DemoX+2026"} <nil>
}
