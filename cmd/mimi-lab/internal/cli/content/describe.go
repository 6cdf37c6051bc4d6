package content

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/content"
)

// description is a part as the command content encode reads it.
type description struct {
	Disposition string        `json:"disposition"`
	Language    string        `json:"language"`
	Type        string        `json:"type"`
	Text        *string       `json:"text"`
	Hex         *string       `json:"hex"`
	URL         string        `json:"url"`
	Description string        `json:"description"`
	Filename    string        `json:"filename"`
	Expires     uint32        `json:"expires"`
	Semantics   string        `json:"semantics"`
	Parts       []description `json:"parts"`
}

// maxDescription bounds a description in bytes: content of the largest size, in
// hexadecimal, and what is around it.
const maxDescription = 3 * content.MaxSize

// described reads the body from the one argument.
func (o *encodeOptions) described() (content.NestedPart, error) {
	name := o.Args[0]
	var b []byte
	var err error
	if name != "-" {
		b, err = readBounded(name, maxDescription)
	} else if b, err = io.ReadAll(io.LimitReader(o.IO.In, maxDescription+1)); err == nil && len(b) > maxDescription {
		err = exit.Usagef("", "standard input is longer than %d MiB, want at most that", maxDescription>>20)
	}
	if err != nil {
		return content.NestedPart{}, err
	}
	var d description
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err = dec.Decode(&d)
	if err == nil {
		if _, end := dec.Token(); !errors.Is(end, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	const hint = `"mimi-lab content encode --help" shows what a description has.`
	if err != nil {
		return content.NestedPart{}, exit.Usagef(hint, "%s: %w", name, err)
	}
	p, err := d.part(1)
	if err != nil {
		return content.NestedPart{}, exit.Usagef(hint, "%s: %w", name, err)
	}
	return p, nil
}

// part makes the part on a level.
func (d description) part(level int) (content.NestedPart, error) {
	p := content.NestedPart{Disposition: content.DispositionRender, Language: d.Language}
	if d.Disposition != "" {
		i := indexOf(content.DispositionUnspecified, content.DispositionPreview, d.Disposition)
		if i < 0 {
			return p, fmt.Errorf("no disposition %q", d.Disposition)
		}
		p.Disposition = content.Disposition(i)
	}
	kinds := 0
	for _, has := range []bool{d.Text != nil, d.Hex != nil, d.URL != "", d.Parts != nil} {
		if has {
			kinds++
		}
	}
	if kinds > 1 {
		return p, errors.New(`a part has one of "text", "hex", "url" and "parts"`)
	}
	var err error
	switch {
	case d.Parts != nil:
		p.Part, err = d.multi(level)
	case d.URL != "":
		p.Part = content.ExternalPart{ContentType: d.Type, URL: d.URL, Expires: d.Expires, Description: d.Description, Filename: d.Filename}
	case d.Text != nil:
		p.Part = content.SinglePart{ContentType: orPlain(d.Type), Content: []byte(*d.Text)}
	case d.Hex != nil:
		var b []byte
		b, err = hex.DecodeString(*d.Hex)
		p.Part = content.SinglePart{ContentType: d.Type, Content: b}
	default:
		p.Part = content.NullPart{}
	}
	return p, err
}

func (d description) multi(level int) (content.MultiPart, error) {
	i := indexOf(content.ChooseOne, content.ProcessAll, d.Semantics)
	switch {
	case i < 0:
		return content.MultiPart{}, fmt.Errorf("no semantics %q: want chooseOne, singleUnit or processAll", d.Semantics)
	case level == content.MaxDepth:
		return content.MultiPart{}, fmt.Errorf("parts on more than %d levels", content.MaxDepth)
	}
	m := content.MultiPart{Semantics: content.Semantics(i)}
	for _, kid := range d.Parts {
		p, err := kid.part(level + 1)
		if err != nil {
			return m, err
		}
		m.Parts = append(m.Parts, p)
	}
	return m, nil
}

// indexOf returns the code of that name, or -1.
func indexOf[C interface {
	~uint8
	fmt.Stringer
}](first, last C, name string) int {
	var names []string
	for c := first; c <= last; c++ {
		names = append(names, c.String())
	}
	i := slices.Index(names, name)
	if i < 0 {
		return -1
	}
	return i + int(first)
}

func orPlain(contentType string) string {
	if contentType == "" {
		return content.TypePlain
	}
	return contentType
}

// base is the name that an attachment suggests to its receivers.
func base(path string) string { return filepath.Base(path) }
