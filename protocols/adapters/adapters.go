// Package adapters lists the end-to-end protocols that this build contains, in
// one place and by name, as scenarios, benchmarks and the command line refer to
// them.
//
// An adapter is added by a line in list.go, or in list_gpl.go if it links
// GPL-3.0 code, which the build tag nogpl leaves out. Nothing registers itself.
package adapters

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols"
)

// All returns the adapters of this build: the real ones first, then those that
// model one.
func All() []protocols.Adapter {
	return append(gpl(), free()...)
}

// ByName returns the adapter with the given name. The error for a name that is
// not there lists those that are.
func ByName(name string) (protocols.Adapter, error) {
	var names []string
	for _, a := range All() {
		if a.Name() == name {
			return a, nil
		}
		names = append(names, a.Name())
	}
	for _, out := range leftOut {
		if out == name {
			return nil, fmt.Errorf("adapter %q is left out of this build by the tag nogpl; there are: %s",
				name, strings.Join(names, ", "))
		}
	}
	message := fmt.Sprintf("no adapter %q; there are: %s", name, strings.Join(names, ", "))
	if len(leftOut) > 0 {
		message += " (left out of this build by the tag nogpl: " + strings.Join(leftOut, ", ") + ")"
	}
	return nil, errors.New(message)
}
