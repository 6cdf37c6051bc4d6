package scenario

import (
	_ "embed"
	"fmt"
	"strings"
)

// template is a whole scenario with a comment beside every section. Its name is
// my-scenario.
//
//go:embed template.yaml
var template string

// Template returns a scenario file to start from, with the given name.
func Template(as string) ([]byte, error) {
	if !name.MatchString(as) {
		return nil, fmt.Errorf("scenario: found %q, expected %s", as, wantName)
	}
	return []byte(strings.Replace(template, "name: my-scenario", "name: "+as, 1)), nil
}
