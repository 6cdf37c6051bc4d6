package kat

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the formats
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

//go:embed format.md
var formats string

// format returns what format.md says of a file.
func format(name string) string {
	_, rest, ok := strings.Cut("\n"+formats, "\n## "+name+"\n")
	if !ok {
		return ""
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return strings.TrimSpace(text)
}

// Manifest says what a folder of vectors is.
type Manifest struct {
	Generator string         `json:"generator"`
	Version   string         `json:"version"`
	Commit    string         `json:"commit"`
	Modified  bool           `json:"modified"` // the generator was built from more than the commit
	Seed      string         `json:"seed"`
	Licence   string         `json:"licence"`
	Documents []string       `json:"documents"`
	Cases     int            `json:"cases"`
	Files     []ManifestFile `json:"files"`
}

// ManifestFile is one file of vectors in it.
type ManifestFile struct {
	Name   string `json:"name"` // with ".json"
	About  string `json:"about"`
	Cases  int    `json:"cases"`
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// ManifestName and ReadmeName are the files beside those of vectors.
const (
	ManifestName = "manifest.json"
	ReadmeName   = "README.md"
)

// Licence is that of the vectors.
const Licence = "Apache-2.0"

// NewManifest describes what was made; the caller says of which build, and which
// documents that follows.
func NewManifest(all []Made, version, commit string, modified bool, documents []string) *Manifest {
	m := &Manifest{Generator: "mimi-lab", Version: version, Commit: commit, Modified: modified, Seed: Seed, Licence: Licence, Documents: documents}
	for i := range all {
		f := &all[i]
		m.Cases += f.Cases
		m.Files = append(m.Files, ManifestFile{f.Name + ".json", f.About, f.Cases, len(f.Data), f.SHA256()})
	}
	return m
}

// SHA256 returns the hash of the file in hexadecimal digits.
func (f *Made) SHA256() string {
	sum := sha256.Sum256(f.Data)
	return hex.EncodeToString(sum[:])
}

// ParseManifest reads a manifest.json.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > MaxFile {
		return nil, fmt.Errorf("kat: %s of %d bytes, want at most %d", ManifestName, len(b), MaxFile)
	}
	m := new(Manifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("kat: %s: %w", ManifestName, err)
	}
	return m, nil
}

// Changed reports whether a file is in the manifest by another hash.
func (m *Manifest) Changed(name string, data []byte) bool {
	for _, f := range m.Files {
		if f.Name == name {
			sum := sha256.Sum256(data)
			return f.SHA256 != hex.EncodeToString(sum[:])
		}
	}
	return false
}

// Readme describes the files to those who verify their own implementation with them.
func Readme(all []Made, m *Manifest) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, intro, m.Cases, len(all), bullets(m.Documents), build(m))
	b.WriteString("| kind | what is wrong |\n|---|---|\n")
	for _, k := range kinds {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.name, k.about)
	}
	fmt.Fprintf(&b, "| `%s` | an enum has no such value |\n", kindEnum)
	fmt.Fprintf(&b, "| `%s` | the struct is well-formed and breaks a rule of its section |\n", kindRule)
	fmt.Fprintf(&b, "| `%s` | something else in it can't be there, such as a message of another kind |\n", kindContent)
	b.WriteString("\n## Files\n\n| file | cases | about |\n|---|---|---|\n")
	for i := range all {
		fmt.Fprintf(&b, "| [%s.json](#%s) | %d | %s |\n", all[i].Name, all[i].Name, all[i].Cases, all[i].About)
	}
	for i := range all {
		f := &all[i]
		fmt.Fprintf(&b, "\n## %s\n\n", f.Name)
		sections, deviations := cites(f.Data)
		fmt.Fprintf(&b, "%d cases, of:\n\n%s\n", f.Cases, bullets(sections))
		b.WriteString(format(f.Name))
		b.WriteString("\n")
		if len(deviations) > 0 {
			fmt.Fprintf(&b, "\nCases depend on these deviations: %s.\n", strings.Join(deviations, "; "))
		}
	}
	return b.Bytes()
}

func bullets(list []string) string {
	var b strings.Builder
	for _, s := range list {
		b.WriteString("* " + s + "\n")
	}
	return b.String()
}

func build(m *Manifest) string {
	s := "mimi-lab " + m.Version
	if m.Commit != "" {
		s += ", commit " + m.Commit
	}
	if m.Modified {
		s += " and changes to it"
	}
	return s
}

// cites returns the sections and the deviations that the cases of a file name.
func cites(data []byte) (sections, deviations []string) {
	var heads []head
	_ = json.Unmarshal(data, &heads) // what was made can be read
	numbers := map[string][]int{}
	for _, h := range heads {
		if !slices.Contains(sections, h.Section) {
			sections = append(sections, h.Section)
		}
		for _, d := range h.Deviations {
			document, n, _ := strings.Cut(d, " ")
			if i, err := strconv.Atoi(n); err == nil && !slices.Contains(numbers[document], i) {
				numbers[document] = append(numbers[document], i)
			}
		}
	}
	slices.Sort(sections)
	for _, document := range []string{mimi1, room1} {
		list := numbers[document+"/DEVIATIONS.md"]
		slices.Sort(list)
		var texts []string
		for _, n := range list {
			texts = append(texts, strconv.Itoa(n))
		}
		if len(texts) > 0 {
			deviations = append(deviations, document+"/DEVIATIONS.md "+strings.Join(texts, ", "))
		}
	}
	return sections, deviations
}

const intro = `# Test vectors for MIMI rooms

%d cases in %d files, of parts of the MIMI drafts that no test vectors were published
for. They are for implementations to be verified with that know nothing of the one that
made them: a case has all that goes into it, private keys included. Content and message
IDs are left out, for which draft-ietf-mimi-content has examples.

They follow these documents:

%s
and were made by %s.
The same build makes the same bytes. [manifest.json](manifest.json) has the SHA-256 of
each file. They may be used under the licence Apache-2.0.

## How to verify

    mimi-lab conformance run mimi --dir .

verifies these files, or others of the same format, as mimi-lab reads the drafts. An
implementation of its own verifies each case as its file's section below says. A case
fails if any of it is otherwise; a case of a cipher suite that an implementation does
not have may be skipped. All cases are of cipher suite 1.

The drafts are not finished: where they are open or contradict themselves, the cases
follow a reading, which "deviations" names by its number in protocols/mimi/DEVIATIONS.md
or groups/room/DEVIATIONS.md of mimi-lab. A case that fails and names one may say no more
than that two readings differ, which is worth a question to the working group.

## Representation

As in test-vectors.md of the MLS working group:

* A file is a JSON array of cases.
* Structs of the drafts and of MLS, and all bytes, are strings of hexadecimal digits in
  lower case. Structs are encoded in the presentation language of RFC 9420, Section 2.
* "null" stands for an optional value that is absent.
* Public keys have no length in front. Private keys are as in test-vectors.md: for
  Ed25519 the 32 bytes of the seed, for HPKE as SerializePrivateKey makes them.
* Numbers are below 2^53.
* Code points are those that the drafts suggest: components 0x0020 to 0x0030,
  app_data_dictionary 0x0006, app_data_update 0x0008, self_remove 0x000a.

Every case has

* "name", which says in words what it is about,
* "section", the document and the title of the section that it is of,
* "deviations", the readings that it depends on.

"failure" names the kind of failure that a case expects, and is empty if none. Where an
implementation fails for another reason it may not have come to what the case is about;
one whose errors have no kinds can still want that it fails.

`
