package live

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/openlectern/lectern/fault"
	"github.com/openlectern/lectern/modulestore"
	"github.com/openlectern/lectern/modulestore/bson"
)

type d = driver.D

func e(key string, value any) driver.E { return driver.E{Key: key, Value: value} }

// fake is a server that knows as much of MongoDB's protocol as reading takes, and breaks as tests want.
type fake struct {
	docs   map[string][]d
	denied map[string]bool // collections, and "" for the list of them
	gone   string          // the collection in the midst of which the connection ends, for good
	asked  chan string     // filters, as they come
}

// start returns the address of the server.
func (f *fake) start(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // twice where the server has gone
	f.asked = make(chan string, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(l, c)
		}
	}()
	return "mongodb://" + l.Addr().String() + "/?directConnection=true&serverSelectionTimeoutMS=5000"
}

func (f *fake) serve(l net.Listener, c net.Conn) {
	defer func() { _ = c.Close() }()
	for {
		var head [16]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head[:])-16)
		if _, err := io.ReadFull(c, body); err != nil {
			return
		}
		const query, msg = 2004, 2013
		var command d
		op := binary.LittleEndian.Uint32(head[12:])
		if op == query {
			at := 4 + strings.IndexByte(string(body[4:]), 0) + 1 + 8
			if driver.Unmarshal(body[at:], &command) != nil {
				return
			}
		} else if n := binary.LittleEndian.Uint32(body[5:]); driver.Unmarshal(body[5:5+n], &command) != nil {
			return
		}
		answer := f.answer(command)
		if answer == nil {
			_ = l.Close()
			return
		}
		doc, err := driver.Marshal(answer)
		if err != nil {
			return
		}
		var out []byte
		if op == query {
			out = append(out, make([]byte, 4+8+4)...)
			out = append(binary.LittleEndian.AppendUint32(out, 1), doc...)
			op = 1
		} else {
			out = append(append(out, make([]byte, 4+1)...), doc...)
		}
		reply := binary.LittleEndian.AppendUint32(nil, uint32(16+len(out)))
		reply = append(append(reply, 0, 0, 0, 0), head[4:8]...)
		if _, err := c.Write(append(binary.LittleEndian.AppendUint32(reply, op), out...)); err != nil {
			return
		}
	}
}

func (f *fake) answer(command d) d {
	ok := e("ok", 1.0)
	refused := d{e("ok", 0.0), e("code", int32(13)), e("codeName", "Unauthorized"), e("errmsg", "not authorized")}
	name, _ := command[0].Value.(string)
	cursor := func(id int64, kind, collection string, docs []d) d {
		if docs == nil {
			docs = []d{}
		}
		return d{e("cursor", d{e("id", id), e("ns", "edxapp."+collection), e(kind, docs)}), ok}
	}
	switch command[0].Key {
	case "hello", "isMaster", "ismaster":
		return d{e("ismaster", true), e("isWritablePrimary", true), e("maxBsonObjectSize", int32(16<<20)), e("maxMessageSizeBytes", int32(48000000)),
			e("maxWriteBatchSize", int32(100000)), e("minWireVersion", int32(0)), e("maxWireVersion", int32(21)), ok}
	case "listCollections":
		if f.denied[""] {
			return refused
		}
		var names []d
		for c := range f.docs {
			names = append(names, d{e("name", c), e("type", "collection")})
		}
		return cursor(0, "firstBatch", "$cmd.listCollections", names)
	case "find":
		if f.denied[name] {
			return refused
		}
		for _, part := range command {
			if part.Key == "filter" {
				f.asked <- fmt.Sprint(name, " ", part.Value)
			}
		}
		if len(f.docs[name]) > 1 {
			return cursor(7, "firstBatch", name, f.docs[name][:1])
		}
		return cursor(0, "firstBatch", name, f.docs[name])
	case "getMore":
		for _, part := range command {
			if part.Key == "collection" {
				name, _ = part.Value.(string)
			}
		}
		if f.gone == name {
			return nil
		}
		return cursor(0, "nextBatch", name, f.docs[name][1:])
	}
	return d{ok}
}

func open(t *testing.T, uri, database string) modulestore.Source {
	t.Helper()
	s, err := Open(t.Context(), uri, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// heard collects what a pass is told.
func heard(into *[]string) modulestore.Pass {
	return modulestore.Pass{
		Want: func(string) bool { return true },
		Doc: func(c string, d bson.Doc) error {
			text, _ := bson.AppendJSON(nil, d.Lookup("_id"))
			*into = append(*into, c+" "+string(text))
			return nil
		},
		Done: func(c string) { *into = append(*into, c+" done") },
		Bad: func(c string, err error) error {
			*into = append(*into, c+" bad: "+err.Error())
			return nil
		},
	}
}

func site() map[string][]d {
	return map[string][]d{
		modulestore.CollectionStructures: {{e("_id", driver.ObjectID{1})}, {e("_id", driver.ObjectID{2})}, {e("_id", driver.ObjectID{3})}},
		modulestore.CollectionIndexes:    {{e("_id", int32(1))}},
		modulestore.CollectionBlocks:     {},
		"another":                        {{e("_id", "x")}},
	}
}

// expectedID is a value as a document has it.
func expectedID(t *testing.T, id d) bson.Value {
	t.Helper()
	raw, err := driver.Marshal(d{e("_id", id)})
	if err != nil {
		t.Fatal(err)
	}
	return bson.Doc(raw).Lookup("_id")
}

func TestScan(t *testing.T) {
	t.Parallel()
	f := &fake{docs: site(), denied: map[string]bool{"another": true}}
	s := open(t, f.start(t), "")
	if !s.Live() {
		t.Error("a server is live")
	}
	var got []string
	p := heard(&got)
	p.Old = &modulestore.OldCourse{Org: "O", Course: "C"}
	if err := s.Scan(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	want := []string{"modulestore.active_versions 1", "modulestore.active_versions done", "modulestore done",
		`modulestore.structures "010000000000000000000000"`, `modulestore.structures "020000000000000000000000"`, `modulestore.structures "030000000000000000000000"`, "modulestore.structures done"}
	if strings.Join(got[:len(got)-1], "\n") != strings.Join(want, "\n") || !strings.Contains(got[len(got)-1], "another bad: ") || !strings.Contains(got[len(got)-1], "may not be read") {
		t.Errorf("heard\n%s", strings.Join(got, "\n"))
	}
	<-f.asked
	if got := <-f.asked; !strings.Contains(got, `"_id.tag"`) || !strings.Contains(got, `"O"`) {
		t.Errorf("asked for blocks with %s", got)
	}
	// Chunks are asked for by the files wanted, whose ids stay as they are stored.
	id := expectedID(t, d{e("category", "asset"), e("name", "x"), e("tag", "c4x")})
	only := modulestore.Pass{Want: func(c string) bool { return c == modulestore.CollectionChunks }, Doc: p.Doc, Files: []bson.Value{id}}
	for len(f.asked) > 0 {
		<-f.asked
	}
	f.docs[modulestore.CollectionChunks] = nil
	if err := s.Scan(t.Context(), only); err != nil {
		t.Fatal(err)
	}
	if got := <-f.asked; !strings.Contains(got, `"files_id"`) || !strings.Contains(got, `{"category":"asset","name":"x","tag":"c4x"}`) {
		t.Errorf("asked for chunks with %s", got)
	}
	p.Bad = nil
	if err := s.Scan(t.Context(), p); !fault.Is(err, fault.Denied) {
		t.Errorf("with nobody to tell: %v", err)
	}
	full := errors.New("full")
	p.Doc = func(string, bson.Doc) error { return full }
	if err := s.Scan(t.Context(), p); !errors.Is(err, full) {
		t.Errorf("the caller's error is %v", err)
	}
}

func TestScanWithoutTheList(t *testing.T) {
	t.Parallel()
	f := &fake{docs: site(), denied: map[string]bool{"": true}}
	var got []string
	if err := open(t, f.start(t), "").Scan(t.Context(), heard(&got)); err != nil || !strings.Contains(strings.Join(got, "\n"), "modulestore.structures done") {
		t.Errorf("heard %q, %v", got, err)
	}
}

func TestServerGoes(t *testing.T) {
	t.Parallel()
	f := &fake{docs: site(), gone: modulestore.CollectionStructures}
	s := open(t, f.start(t), "")
	var got []string
	if err := s.Scan(t.Context(), heard(&got)); !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), modulestore.CollectionStructures) {
		t.Errorf("got %v after %q", err, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Find(ctx, "x", map[modulestore.ID]bool{{}: true}, nil, nil); !fault.Is(err, fault.Interrupted) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	f := &fake{docs: site(), denied: map[string]bool{"another": true}}
	s := open(t, f.start(t), "")
	n := 0
	err := s.Find(t.Context(), modulestore.CollectionStructures, map[modulestore.ID]bool{{1}: true, {2}: true}, func(bson.Doc) error { n++; return nil }, nil)
	if err != nil || n != 3 {
		t.Errorf("%d documents, %v", n, err)
	}
	if got := <-f.asked; !strings.Contains(got, "$in") || strings.Count(got, "ObjectID")+strings.Count(got, "$oid") != 2 {
		t.Errorf("asked for %s", got)
	}
	if err := s.Find(t.Context(), "another", map[modulestore.ID]bool{{1}: true}, nil, nil); !fault.Is(err, fault.Denied) {
		t.Errorf("got %v", err)
	}
	var told []error
	err = s.Find(t.Context(), "another", map[modulestore.ID]bool{{1}: true}, nil, func(err error) error { told = append(told, err); return nil })
	if err != nil || len(told) != 1 || !strings.Contains(told[0].Error(), " another") || !strings.Contains(told[0].Error(), "may not be read") {
		t.Errorf("told %v, %v", told, err)
	}
	if err := s.Find(t.Context(), "another", nil, nil, nil); err != nil {
		t.Errorf("nothing to find: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for uri, kind := range map[string]fault.Kind{
		"mongodb://": fault.Usage, "mongodb://h:port/": fault.Usage, "http://x": fault.Usage,
		"mongodb://127.0.0.1:1/?directConnection=true": fault.Unavailable,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if kind == fault.Unavailable {
			cancel() // else it would wait for the server to come
			kind = fault.Unavailable
		}
		_, err := Open(ctx, uri, "")
		cancel()
		if !fault.Is(err, kind) && !(kind == fault.Unavailable && fault.Is(err, fault.Interrupted)) {
			t.Errorf("%s: got %v", uri, err)
		}
	}
	for uri, want := range map[string]string{"mongodb://u:p@h:1,i:2/db?x=y": "h:1,i:2 db", "mongodb+srv://h": "h "} {
		if hosts, db := parts(uri); hosts+" "+db != want {
			t.Errorf("%s: %s %s", uri, hosts, db)
		}
	}
}

// TestServer reads from a server in $LECTERN_TEST_MONGO what was written there by the driver.
func TestServer(t *testing.T) {
	t.Parallel()
	uri := os.Getenv("LECTERN_TEST_MONGO")
	if uri == "" {
		if os.Getenv("LECTERN_REQUIRE_MONGO") != "" {
			t.Fatal("LECTERN_REQUIRE_MONGO asks for a server, and LECTERN_TEST_MONGO does not name one")
		}
		return // the protocol alone is tested above
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	db := client.Database(fmt.Sprintf("lectern_live_%d", os.Getpid()))
	t.Cleanup(func() {
		if err := errors.Join(db.Drop(context.Background()), client.Disconnect(context.Background())); err != nil {
			t.Error(err)
		}
	})
	want := 0
	var last driver.ObjectID
	for name, docs := range site() {
		for _, doc := range docs {
			if _, err := db.Collection(name).InsertOne(t.Context(), doc); err != nil {
				t.Fatal(err)
			}
			want++
		}
	}
	many := make([]any, 2500)
	for i := range many {
		last = driver.NewObjectID()
		many[i] = d{e("_id", last), e("text", strings.Repeat("x", 1000))}
	}
	if _, err := db.Collection(modulestore.CollectionDefinitions).InsertMany(t.Context(), many); err != nil {
		t.Fatal(err)
	}
	s := open(t, uri, db.Name())
	var got []string
	p := heard(&got)
	p.Done = nil
	if err := s.Scan(t.Context(), p); err != nil || len(got) != want+len(many) {
		t.Errorf("%d documents, want %d, %v", len(got), want+len(many), err)
	}
	n := 0
	ids := map[modulestore.ID]bool{{9}: true}
	for _, doc := range many {
		ids[modulestore.ID(doc.(d)[0].Value.(driver.ObjectID))] = true
	}
	if err := s.Find(t.Context(), modulestore.CollectionDefinitions, ids, func(bson.Doc) error { n++; return nil }, nil); err != nil || n != len(many) {
		t.Errorf("found %d, %v", n, err)
	}
}
