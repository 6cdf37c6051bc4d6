package adapters_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mimi-lab/mimi-lab/protocols/adapters"
)

func TestAllByName(t *testing.T) {
	t.Parallel()
	all := adapters.All()
	if len(all) == 0 {
		t.Fatal("no adapters")
	}
	seen := make(map[string]bool)
	for _, a := range all {
		if seen[a.Name()] {
			t.Errorf("two adapters are called %q", a.Name())
		}
		seen[a.Name()] = true
		got, err := adapters.ByName(a.Name())
		if err != nil || got != a {
			t.Errorf("ByName(%q) = %v, %v, want %v", a.Name(), got, err, a)
		}
	}
}

func TestByNameUnknown(t *testing.T) {
	t.Parallel()
	_, err := adapters.ByName("carrier-pigeon")
	if err == nil {
		t.Fatal("found an adapter that does not exist")
	}
	for _, want := range []string{"carrier-pigeon", "mls", "signal-v3", "signal-v3-sized"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func ExampleByName() {
	a, err := adapters.ByName("signal-v3-sized")
	if err != nil {
		panic(err)
	}
	fmt.Println(a.Name(), a.Claims().Modelled)
	// Output: signal-v3-sized true
}
