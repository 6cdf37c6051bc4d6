package scenario

import (
	"embed"
	"fmt"
	"strings"
)

// library holds the scenarios that come with the program.
//
//go:embed library/*.yaml
var library embed.FS

// Info introduces a scenario of the library.
type Info struct {
	Name     string
	Title    string
	Question string
}

// Library lists the scenarios that come with the program, sorted by name.
func Library() []Info {
	var all []Info
	for _, name := range names() {
		f, err := Open(name)
		if err != nil {
			panic("scenario: the library does not load: " + err.Error())
		}
		all = append(all, Info{f.Name, f.Title, f.Question})
	}
	return all
}

// Open loads a scenario of the library by name, as [Load] does. For a name that
// is not there the error wraps [ErrNotFound].
func Open(name string, overrides ...string) (*File, error) {
	data, err := Source(name)
	if err != nil {
		return nil, err
	}
	return Load(name+".yaml", data, overrides...)
}

// Source returns the file of a scenario of the library.
func Source(name string) ([]byte, error) {
	data, err := library.ReadFile("library/" + name + ".yaml")
	if err != nil {
		if near := nearest(name, names()); near != "" {
			return nil, fmt.Errorf("%w: %q (did you mean %q?)", ErrNotFound, name, near)
		}
		return nil, fmt.Errorf("%w: %q; it has %s", ErrNotFound, name, strings.Join(names(), ", "))
	}
	return data, nil
}

// names lists the files of the library without their ending.
func names() []string {
	entries, err := library.ReadDir("library")
	if err != nil {
		panic("scenario: no library: " + err.Error())
	}
	var all []string
	for _, e := range entries {
		all = append(all, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return all
}
