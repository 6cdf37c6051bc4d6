package report

import "testing"

func TestLabels(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		kv   []string
		want string
	}{
		{"empty", nil, ""},
		{"sorted", []string{"path", "direct", "kind", "text"}, "kind=text,path=direct"},
		{"reserved bytes", []string{"k", "a=b,c%\n"}, "k=a%3Db%2Cc%25%0A"},
		{"empty value", []string{"k", ""}, "k="},
	} {
		l := NewLabels(c.kv...)
		if l.String() != c.want {
			t.Errorf("%s: got %q, want %q", c.name, l, c.want)
		}
		for i := 0; i < len(c.kv); i += 2 {
			if v, ok := l.Get(c.kv[i]); !ok || v != c.kv[i+1] {
				t.Errorf("%s: Get(%q) = %q, %v", c.name, c.kv[i], v, ok)
			}
		}
		if back, err := ParseLabels(c.want); err != nil || back != l {
			t.Errorf("%s: parsed %q, %v", c.name, back, err)
		}
	}
}

func TestParseLabelsRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"k", "k=v,", ",", "=v", "b=1,a=2", "a=1,a=2", "k=a=b", "k=%41", "k=%2c", "k=\x01", "k=%"} {
		if l, err := ParseLabels(text); err == nil {
			t.Errorf("ParseLabels(%q) = %q, want an error", text, l)
		}
	}
}

func TestLabelsChange(t *testing.T) {
	t.Parallel()
	l := NewLabels("b", "2", "a", "1")
	if got := l.With("b", "3").With("c", "4").String(); got != "a=1,b=3,c=4" {
		t.Errorf("With: %q", got)
	}
	if got := l.Without("a").String(); got != "b=2" {
		t.Errorf("Without: %q", got)
	}
	if !l.Has(NewLabels("a", "1")) || l.Has(NewLabels("a", "2")) || l.Has(NewLabels("z", "")) {
		t.Error("Has is wrong")
	}
}

func FuzzParseLabels(f *testing.F) {
	f.Add("kind=text,path=direct")
	f.Add("k=a%3Db")
	f.Add("k=%%,")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLabels(text)
		if err != nil {
			if l != (Labels{}) {
				t.Fatalf("labels %q with error %v", l, err)
			}
			return
		}
		if l.String() != text {
			t.Fatalf("%q came out as %q", text, l)
		}
		var kv []string
		for _, p := range l.Pairs() {
			kv = append(kv, p[0], p[1])
		}
		if again := NewLabels(kv...); again != l {
			t.Fatalf("%q rebuilt as %q", l, again)
		}
	})
}
