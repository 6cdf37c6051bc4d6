package scenario

import (
	"fmt"
	"reflect"
	"strings"
)

// File is a scenario file, read and checked with all its points.
type File struct {
	Name      string   // of the scenario
	Title     string   // one line
	Question  string   // may be empty
	Overrides []string // as given to Load
	Studies   []Study  // at least one
	points    []Point
	basis     []Basis
}

// Point is one combination of a study's swept values: one world, to be run as
// often as it has replications.
type Point struct {
	Study    string  // name of the study
	Labels   []Label // one for each axis, in the order of the file
	Scenario Scenario
}

// String names the point within its study: "default=opt_in opt_in_rate=5%". It
// is empty for the only point of a study without sweeps.
func (p Point) String() string {
	var words []string
	for _, l := range p.Labels {
		words = append(words, l.Path[strings.LastIndexByte(l.Path, '.')+1:]+"="+l.Value)
	}
	return strings.Join(words, " ")
}

// Load reads a scenario file. The name stands for it in errors. Overrides have
// the form path=value and are applied in order to every study. The error is of
// type [Errors].
func Load(name string, data []byte, overrides ...string) (*File, error) {
	p := &problems{file: name}
	root := parse(data, p)
	if root == nil {
		return nil, p.err()
	}
	if root.kind != mapping {
		p.add(root.at, "", root.describe(), "a mapping with "+list(keys(scenarioType)))
		return nil, p.err()
	}
	f := &File{Overrides: overrides}
	f.Studies = takeStudies(root, p)
	citations := takeBasis(root, p)
	f.basis = cite(root, citations, p)
	for _, s := range f.Studies {
		f.study(s, root.clone(), p)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	s := f.points[0].Scenario
	f.Name, f.Title, f.Question = s.Name, s.Title, s.Question
	return f, nil
}

// study applies a study's values and the overrides to a copy of the document
// and decodes the points.
func (f *File) study(s Study, root *node, p *problems) {
	before := p.noted
	for _, v := range s.set {
		assign(root, v.path, v.value, p)
	}
	for _, o := range f.Overrides {
		override(root, o, p)
	}
	if p.noted > before {
		return
	}
	axes := root.axes("", nil)
	points := len(f.points) + count(axes)
	if points > maxPoints || points*root.size() > maxWork {
		p.add(root.at, "", "sweeps with too many points", fmt.Sprintf("at most %d, fewer in a large document", maxPoints))
		return
	}
	root.expand(axes, nil, func(labels []Label) {
		point := Point{Study: s.Name, Labels: labels}
		d := decoder{p}
		d.decode(root, reflect.ValueOf(&point.Scenario).Elem(), rules{}, "")
		point.Scenario.expandPartners()
		f.points = append(f.points, point)
	})
}

// Points returns all points, study by study.
func (f *File) Points() []Point { return append([]Point(nil), f.points...) }

// expandPartners replaces partners with a count by that many.
func (s *Scenario) expandPartners() {
	var all []Partner
	for _, p := range s.Partners {
		n := p.Count
		p.Count = 0
		if n == 0 {
			all = append(all, p)
		}
		prefix := p.Name
		for i := range n {
			p.Name = fmt.Sprintf("%s-%d", prefix, i+1)
			all = append(all, p)
		}
	}
	s.Partners = all
}
