package lease

import (
	"os"
	"os/exec"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]identity{
		"web1:42:1234.0a1b2c3d.7": {"web1", 42, "1234", "0a1b2c3d", "7"},
		"web1:42:1234..7":         {"web1", 42, "1234", "", "7"},
		"web1:42:1234":            {"web1", 42, "1234", "", ""},
		"web1:42:":                {"web1", 42, "", "", ""},
		"fe80::1:42:5":            {"fe80::1", 42, "5", "", ""},
		"web1:-42:1234":           {host: "web1:-42:1234"},
		"web1:42":                 {host: "web1:42"},
		"web1":                    {host: "web1"},
		"":                        {},
	} {
		got := parse(s)
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(identity{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", s, diff)
		}
		if want.serial != "" && got.String() != s {
			t.Errorf("%q is printed as %q", s, got)
		}
	}
}

func TestFate(t *testing.T) {
	t.Parallel()
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	me := own()
	with := func(change func(*identity)) identity {
		id := me
		change(&id)
		return id
	}
	ours := with(func(id *identity) { id.serial = leases.add() })
	for _, c := range []struct {
		name string
		id   identity
		want fate
	}{
		{"a lease of ours", ours, running},
		{"ours, given back", with(func(id *identity) { id.serial = "0" }), gone},
		{"this process, by another program", with(func(id *identity) {}), running},
		{"this process, no start", identity{host: me.host, pid: me.pid}, running},
		{"one before us of the same id", with(func(id *identity) { id.ticks, id.serial = "1", "1" }), gone},
		{"our parent, whoever it is", identity{host: me.host, pid: os.Getppid(), mark: me.mark}, running},
		{"one that has ended", identity{host: me.host, pid: dead.Process.Pid, ticks: "1", mark: me.mark}, gone},
		{"one that has ended, no mark", identity{host: me.host, pid: dead.Process.Pid, ticks: "1"}, gone},
		{"another machine of our name", with(func(id *identity) { id.pid, id.mark = dead.Process.Pid, "00000000" }), unknown},
		{"another host", with(func(id *identity) { id.host += "x" }), unknown},
		{"a host alone", identity{host: me.host}, unknown},
	} {
		if got := c.id.fate(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	leases.drop(ours.serial)
	if got := ours.fate(); got != gone {
		t.Errorf("after it was dropped: %d", got)
	}
}
