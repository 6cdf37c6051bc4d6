package scenario

import (
	"testing"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	data, err := Template("first-try")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Load("first-try.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "first-try" {
		t.Errorf("the name is %s", f.Name)
	}
	if err := compiled(t).Validate(asJSON(t, data)); err != nil {
		t.Errorf("schema: %v", err)
	}
	for _, p := range f.Points() {
		buildAll(t, &p.Scenario)
	}
	for _, bad := range []string{"", "First", "a b", "a\nduration", "5"} {
		if _, err := Template(bad); err == nil {
			t.Errorf("Template(%q): no error", bad)
		}
	}
}
