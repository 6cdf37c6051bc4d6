package verdict

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSheet(t *testing.T) {
	t.Parallel()
	s := New([]Check{{ID: "a.one"}, {ID: "a.two"}, {ID: "b.three"}, {ID: "b.four"}, {ID: "b.five"}})
	s.Note("a.one", Pass, "first")
	s.Note("a.one", Pass, "second")
	s.Note("a.two", Fail, "bad %d", 1)
	s.Note("a.two", Pass, "good")
	s.Note("b.three", Skip, "no")
	s.Note("b.three", Warn, "hm")
	s.Note("b.four", Skip, "nothing to see")
	if v := s.Verdict("a.two"); v != Fail {
		t.Errorf("got %q, want %q", v, Fail)
	}
	list, tally := s.Seal("not reached")
	s.Note("b.five", Fail, "too late")
	want := []string{"pass first", "fail bad 1", "warn hm", "skip nothing to see", "skip not reached"}
	for i, r := range list {
		if got := string(r.Verdict) + " " + r.Seen; got != want[i] {
			t.Errorf("%s: got %q, want %q", r.ID, got, want[i])
		}
	}
	if tally != (Tally{1, 1, 1, 2}) || list[4].Group() != "b" || s.Verdict("b.five") != Skip {
		t.Errorf("got %+v", tally)
	}
	defer func() {
		if recover() == nil {
			t.Error("a check that does not exist: no panic")
		}
	}()
	s.Note("c.six", Pass, "")
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[2J\u202e" + strings.Repeat("é", MaxSeen))
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		if !utf8.ValidString(got) || len(got) > MaxSeen+3 || Clean(got) != got && len(got) <= MaxSeen {
			t.Errorf("%q became %q", s, got)
		}
		for _, c := range got {
			if c < ' ' || 0x7f <= c && c < 0xa0 {
				t.Errorf("%q has %U", got, c)
			}
		}
	})
}
