package main

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// peer is a piece of work as the Python packages do it.
type peer struct {
	job    string // ours that belongs to the same run
	script string
	args   []string
	pieces []piece
}

// piece ties a line of a peer to ours.
type piece struct {
	line  string // the peer's name for it
	name  string // in the table
	ours  string
	exact bool // Check must agree
	perOp bool // compared by the operation, as the two do not do the same number
}

var allPeers = []peer{
	{"keys", "keys_parse.py", nil, []piece{{"keys_parse", "keys", "keys", true, false}}},
	{"authz", "casbin_check.py", nil, []piece{{line: "casbin_check", name: "authz check", ours: "authz check", perOp: true}}},
	{"roles", "role_move.py", []string{"--rows", strconv.Itoa(peerRoles), "--stored", strconv.Itoa(peerStored)}, []piece{
		{line: "role_forward", name: "roles forward, of as many", ours: "roles forward small", exact: true, perOp: true},
		{line: "role_back", name: "roles back, of as many", ours: "roles back small", exact: true, perOp: true},
		{line: "role_forward", name: "roles forward, Lectern's of all", ours: "roles forward", perOp: true},
		{line: "role_back", name: "roles back, Lectern's of all", ours: "roles back", perOp: true}}},
	{"create", "content_create.py", nil, []piece{{"content_create", "create", "create", false, false}}},
	{"create-each", "content_create.py", []string{"--context", "each"}, []piece{{"content_create", "create-each", "create-each", false, false}}},
	{"edit", "content_edit_publish.py", nil, []piece{{"content_edit", "edit", "edit", false, false}, {"content_publish", "publish", "publish", false, false}}},
	{"edit-each", "content_edit_publish.py", []string{"--context", "each", "--edits", strconv.Itoa(someEdits)},
		[]piece{{"content_edit", "edit-each", "edit-each", false, false}}},
	{"outline", "content_read_outline.py", []string{"--way", "api"}, []piece{{"content_read_outline", "outline, by the package's API", "outline draft", false, false}}},
	{"outline", "content_read_outline.py", []string{"--way", "orm"}, []piece{{"content_read_outline", "outline, by hand-written queries", "outline draft", false, false}}},
	{"backup", "lp_dump.py", []string{"--out", peerArchive}, []piece{{"lp_dump", "backup", "backup", false, false}}},
	{"backup", "lp_load.py", []string{"--archive", peerArchive}, []piece{{"lp_load", "restore", "restore", false, false}}},
	{"scan", "old_scan.py", []string{"--dump", oldDump}, []piece{{"old_scan", "scan", "scan", true, false}}},
	{"structure", "old_structure.py", []string{"--dump", oldDump}, []piece{{"old_structure", "structure", "structure", true, false}}},
	{"migrate", "migrate.py", []string{"--phase", "new", "--db", filledSite}, migratePieces("sqlite")},
	{"migrate", "migrate.py", []string{"--old-python", oldPython, "--db", serverSite}, migratePieces("mysql")},
}

func migratePieces(engine string) []piece {
	return []piece{{"migrate_names", "migrate names " + engine, "migrate names " + engine, false, false}, {"migrate", "migrate " + engine, "migrate " + engine, false, false}}
}

// Words that stand for what is known later.
const (
	peerArchive = "ARCHIVE.zip" // that the peers write and then load
	filledSite  = "FILLED"      // a copy of the site that ours migrated
	serverSite  = "SERVER"      // the database on the server
	oldPython   = "OLD"
	oldDump     = "DUMP" // the dump that ours reads
)

// rawPeer is Python's raw limit of job create; its figure goes beside that of Go.
const rawPeer = "raw insert"

func (o options) runPeers(ctx context.Context, r *results, chosen []job) error {
	cache := filepath.Join(o.cache, "peers")
	for run := range o.peerRuns {
		for _, p := range allPeers {
			i := slices.IndexFunc(chosen, func(j job) bool { return j.name == p.job })
			if i < 0 {
				continue
			}
			args := append([]string{filepath.Join(o.peers, p.script), "--n", strconv.Itoa(o.size(chosen[i]))}, p.args...)
			switch p.job {
			case "keys":
				args = append(args, "--keys", o.keys)
			case "authz", "scan", "structure": // have no database
			default:
				args = append(args, "--cache", cache)
			}
			python := o.python
			if p.job == "authz" {
				python = o.authzPy
			}
			if slices.Contains(args, serverSite) && o.server == "" || python == "" {
				continue
			}
			if err := o.known(args, cache, o.size(chosen[i])); err != nil {
				return err
			}
			say("peer %s, run %d of %d", p.pieces[0].name, run+1, o.peerRuns)
			lines, err := linesOf(exec.CommandContext(ctx, python, args...))
			if err != nil {
				return err
			}
			for _, l := range lines {
				for _, x := range p.pieces {
					if l.Job == x.line {
						l.Check = cmp.Or(l.Check, l.Chars)
						r.peers[x.name] = append(r.peers[x.name], l)
					}
				}
			}
			if p.job != "create" {
				continue
			}
			say("peer %s, run %d of %d", rawPeer, run+1, o.peerRuns)
			lines, err = linesOf(exec.CommandContext(ctx, o.python, filepath.Join(o.peers, "raw_limit.py"), "--hash-n", "1",
				"--n", strconv.Itoa(o.size(chosen[i])), "--empty", filepath.Join(cache, "empty.db")))
			if err != nil {
				return err
			}
			for _, l := range lines {
				if l.Job == "raw_insert_python" {
					r.peers[rawPeer] = append(r.peers[rawPeer], l)
				}
			}
		}
	}
	return nil
}

// known puts what is known now in the place of the words that stood for it.
func (o options) known(args []string, cache string, n int) (err error) {
	for i, arg := range args {
		switch arg {
		case peerArchive:
			args[i] = filepath.Join(cache, arg)
		case oldPython:
			args[i] = o.oldPy
		case oldDump:
			args[i] = (&bench{n: n, cache: o.cache}).oldDump()
		case serverSite:
			args[i], err = onServer(o.server)
		case filledSite:
			path := filepath.Join(o.cache, "filled.db")
			args[i], err = "sqlite:"+path, copyFile(filepath.Join(o.cache, fmt.Sprintf("old-site-%d.db", n)), path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
