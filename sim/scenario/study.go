package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// Study is a part of a scenario with values and sweeps of its own: its values
// explore and claim nothing, so they need no basis.
type Study struct {
	Name     string // unique within the file
	Question string // what it answers; may be empty
	set      []setting
}

// setting is one value of a study.
type setting struct {
	path  string
	value *node
}

var studyKeys = []string{"name", "question", "set", "sweep"}

// takeStudies removes the section studies from a document and reads it. A
// document without one has a single study, main.
func takeStudies(root *node, p *problems) []Study {
	section := root.get("studies")
	if section == nil {
		return []Study{{Name: "main"}}
	}
	root.remove("studies")
	if section.kind != sequence || len(section.items) == 0 {
		p.add(section.at, "studies", section.describe(), "a list of studies")
		return nil
	}
	var all []Study
	for i, item := range section.items {
		path := join("studies", element(i, item))
		s := readStudy(item, path, p)
		if slices.ContainsFunc(all, func(other Study) bool { return other.Name == s.Name }) {
			p.add(item.at, path, "the name a second time", "names that differ")
		}
		all = append(all, s)
	}
	return all
}

func readStudy(n *node, path string, p *problems) Study {
	var s Study
	if n.kind != mapping {
		p.add(n.at, path, n.describe(), "a mapping with "+list(studyKeys))
		return s
	}
	d := decoder{p}
	for _, e := range n.entries {
		switch here := join(path, e.key); e.key {
		case "name":
			s.Name = e.value.value
			if e.value.kind != text || !name.MatchString(s.Name) {
				p.add(e.value.at, here, e.value.describe(), wantName)
			}
		case "question":
			s.Question = e.value.value
			if e.value.kind != text {
				p.add(e.value.at, here, e.value.describe(), "text")
			}
		case "set", "sweep":
			if e.value.kind != mapping {
				p.add(e.value.at, here, e.value.describe(), "a mapping from paths to values")
			}
			for _, v := range e.value.entries {
				if e.key == "sweep" {
					asSweep(v, join(here, v.key), p)
				}
				s.set = append(s.set, setting{v.key, v.value})
			}
		default:
			d.unknown(e, studyKeys, path)
		}
	}
	if n.get("name") == nil {
		p.add(n.at, path, "no name", "it to be given")
	}
	return s
}

// asSweep turns the list that a study gives for a path into a sweep.
func asSweep(e entry, path string, p *problems) {
	n := e.value
	ok := n.kind == sequence && len(n.items) > 0 && len(n.items) <= maxValues
	var texts []string
	for _, item := range n.items {
		ok = ok && item.scalar() && item.kind != sweep && item.kind != null
		texts = append(texts, item.value)
	}
	if !ok {
		p.add(n.at, path, n.describe(), fmt.Sprintf("a list of 1 to %d single values", maxValues))
		return
	}
	n.kind, n.axis, n.value = sweep, e.key, "${"+strings.Join(texts, ",")+"}"
}
