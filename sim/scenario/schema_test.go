package scenario

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var rewrite = flag.Bool("rewrite", false, "write schema.json anew")

// TestSchema generates the schema from the Go types and their comments, and
// compares it with the published one.
func TestSchema(t *testing.T) {
	t.Parallel()
	want := generate(t)
	if *rewrite {
		if err := os.WriteFile("schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(Schema())); diff != "" {
		t.Errorf("schema.json is not what the types say; go test -run TestSchema -rewrite writes it anew (-want +got):\n%s", diff)
	}
}

// object is a JSON object; encoding/json sorts its keys.
type object = map[string]any

type generator struct {
	t    *testing.T
	docs map[string]string // by type, and by type.field
	defs object
}

func generate(t *testing.T) []byte {
	t.Helper()
	docs := comments(t)
	g := generator{t: t, docs: docs, defs: object{
		"sweep": object{
			"description": "A sweep: one point for each of its values.",
			"type":        "string", "pattern": `^\$\{[^,{}]+(,[^,{}]+)*\}$`,
		},
		"Duration": quantityText(docs["Duration"], `^([0-9]+(\.[0-9]+)?(d|h|m|s|ms|us|µs|ns))+$`),
		"Bytes":    quantityText(docs["Bytes"], `^[0-9]+(\.[0-9]+)?([KMGT]iB|[kKMGT]?B)$`),
		"Rate":     quantityText(docs["Rate"], `^[0-9]+(\.[0-9]+)?[kMG]?bps$`),
		"Share": object{
			"description": docs["Share"],
			"anyOf": []any{
				object{"type": "number", "minimum": 0, "maximum": 1},
				object{"type": "string", "pattern": `^[0-9]+(\.[0-9]+)?%$`},
				object{"type": "string", "pattern": `^(0(\.[0-9]+)?|1(\.0+)?)$`},
				ref("sweep"),
			},
		},
	}}
	root := g.object(scenarioType)
	properties := root["properties"].(object)
	properties["studies"] = object{
		"description": "Parts of the scenario with values and sweeps of their own.",
		"type":        "array", "minItems": 1,
		"items": object{
			"type": "object", "additionalProperties": false, "required": []string{"name"},
			"properties": object{
				"name":     object{"description": "Name of the study, unique within the file.", "type": "string", "pattern": name.String()},
				"question": object{"description": "The question that it answers.", "type": "string"},
				"set":      object{"description": "Values by path.", "type": "object"},
				"sweep": object{
					"description":          "Lists of values by path; each path is one axis.",
					"type":                 "object",
					"additionalProperties": object{"type": "array", "minItems": 1, "maxItems": maxValues, "items": object{"type": []string{"string", "number", "boolean"}}},
				},
			},
		},
	}
	properties["basis"] = object{
		"description": "What the numbers rest on: by path, or the front of one with * for any segment, a public source or why they are assumed.",
		"type":        "object",
		"additionalProperties": object{
			"type": "object", "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
			"properties": object{
				"source":  object{"description": "Where the numbers were published.", "type": "string", "minLength": 1},
				"assumed": object{"description": "Why they are what they are although nobody has published them.", "type": "string", "minLength": 1},
			},
		},
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = "https://github.com/mimi-lab/mimi-lab/sim/scenario/schema.json"
	root["title"] = "mimi-lab scenario"
	root["$defs"] = g.defs
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// quantityText is the schema of a quantity: its text, a bare 0 or a sweep.
func quantityText(description, pattern string) object {
	return object{"description": description, "anyOf": []any{
		object{"type": "string", "pattern": pattern}, object{"enum": []any{0, "0"}}, ref("sweep"),
	}}
}

func ref(name string) object { return object{"$ref": "#/$defs/" + name} }

// object is the schema of a struct.
func (g *generator) object(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range fields(t) {
		s := g.value(f.typ, f.rules)
		s["description"] = g.doc(t, t.Field(f.index).Name)
		properties[f.key] = s
		if !f.optional {
			required = append(required, f.key)
		}
	}
	return object{"type": "object", "description": g.doc(t, ""), "additionalProperties": false, "properties": properties, "required": required}
}

// value is the schema of a value under the rules of its field.
func (g *generator) value(t reflect.Type, r rules) object {
	switch {
	case t == timeType:
		return object{"anyOf": []any{object{"type": "string", "format": "date-time"}, ref("sweep")}}
	case isStruct(t):
		name := defName(t)
		if _, ok := g.defs[name]; !ok {
			g.defs[name] = nil // against recursion
			s := g.object(t)
			if isDist(t) {
				scalar := g.value(t.Field(1).Type, rules{})
				s = object{"description": s["description"], "anyOf": []any{scalar, s}}
			}
			g.defs[name] = s
		}
		return ref(name)
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "minItems": 1, "items": g.value(t.Elem(), r)}
	case t.PkgPath() == scenarioType.PkgPath() && t.Kind() != reflect.String:
		return ref(t.Name())
	}
	s := object{}
	switch t.Kind() {
	case reflect.String:
		s["type"] = "string"
		if r.enum != nil {
			s["enum"] = r.enum
		}
		if r.pattern == "name" {
			s["pattern"] = name.String()
		}
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Float64:
		s["type"] = "number"
	default:
		s["type"] = "integer"
		if t.Kind() == reflect.Uint64 {
			s["minimum"] = 0
		}
	}
	for _, bound := range []struct{ key, tag string }{{"minimum", r.min}, {"maximum", r.max}} {
		if n, err := strconv.ParseFloat(bound.tag, 64); err == nil {
			s[bound.key] = n
		}
	}
	return object{"anyOf": []any{s, ref("sweep")}}
}

// defName is the name of a struct's schema: Dist[Duration] is DurationDist.
func defName(t reflect.Type) string {
	generic, argument, ok := strings.Cut(strings.TrimSuffix(t.Name(), "]"), "[")
	if !ok {
		return t.Name()
	}
	return argument[strings.LastIndexByte(argument, '.')+1:] + generic
}

// doc is the comment of a struct or of a field as a paragraph.
func (g *generator) doc(t reflect.Type, field string) string {
	g.t.Helper()
	key, _, _ := strings.Cut(t.Name(), "[")
	if field != "" {
		key += "." + field
	}
	if g.docs[key] == "" {
		g.t.Errorf("%s has no comment", key)
	}
	return g.docs[key]
}

// comments reads the comments of the package's types and fields.
func comments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	paragraph := func(c *ast.CommentGroup) string {
		lines := strings.Split(c.Text(), "\n")
		for i, line := range lines {
			if strings.HasPrefix(line, "\t") { // a drawing
				lines = lines[:i]
				break
			}
		}
		return strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok || decl.Tok != token.TYPE {
				continue
			}
			for _, s := range decl.Specs {
				spec := s.(*ast.TypeSpec)
				docs[spec.Name.Name] = paragraph(decl.Doc)
				if st, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range st.Fields.List {
						for _, id := range field.Names {
							docs[spec.Name.Name+"."+id.Name] = paragraph(field.Doc)
						}
					}
				}
			}
		}
	}
	return docs
}

// compiled is the published schema.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON turns YAML into what the schema's validator takes.
func asJSON(t *testing.T, data []byte) any {
	t.Helper()
	j, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchemaAccepts(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	documents := map[string][]byte{"small": []byte(small)}
	for _, name := range names() {
		data, err := Source(name)
		if err != nil {
			t.Fatal(err)
		}
		documents[name] = data
		f, err := Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Points() {
			documents[name+" "+p.Study+" "+p.String()] = p.Scenario.Canonical()
		}
	}
	for name, data := range documents {
		if err := s.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := compiled(t)
	tests := []struct{ name, old, new string }{
		{"unknown key", "    users: 10", "    users: 10\n    user: 10"},
		{"missing key", "duration: 1h\n", ""},
		{"wrong type", "    users: 10", "    users: ten"},
		{"too small", "    users: 10", "    users: 0"},
		{"wrong unit", "retention: 30d", "retention: 30MB"},
		{"no unit", "size: 60B", "size: 60"},
		{"share above 1", "eea_share: 90%", "eea_share: 1.5"},
		{"unknown word", "route: direct", "route: proxy"},
		{"unknown distribution", "device_gatekeeper: {delay: 40ms}", "device_gatekeeper: {delay: {dist: pareto, mean: 1s}}"},
		{"bad name", "  - name: wren", "  - name: Wren!"},
		{"bad time", "start: 2024-03-07T00:00:00Z", "start: yesterday"},
		{"another version", "scenario: 1", "scenario: 2"},
		{"basis of both kinds", "  links: {assumed: for the test}", "  links: {assumed: for the test, source: a paper}"},
		{"half a sweep", "duration: 1h", "duration: ${1h"},
		{"sweep of nothing", "basis:", "studies: [{name: more, sweep: {duration: []}}]\nbasis:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data := edit(t, tt.old, tt.new)
			if err := s.Validate(asJSON(t, data)); err == nil {
				t.Error("the schema accepts it")
			}
			if _, err := Load("small.yaml", data); err == nil {
				t.Error("the loader accepts it")
			}
		})
	}
}
