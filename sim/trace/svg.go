package trace

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
	"unicode"
)

// paint is a colour by day and by night.
type paint struct{ light, dark string }

// roles gives every role its name and colour. The hues are far enough apart for
// the common kinds of colour blindness; the names are in the boxes besides.
var roles = [...]struct {
	name  string
	class string
	paint
}{
	Other:      {"node", "ro", paint{"#57606a", "#9aa4b2"}},
	Device:     {"device", "rd", paint{"#0b7a75", "#3fc7bd"}},
	Partner:    {"partner", "rp", paint{"#3d5bd9", "#8aa4ff"}},
	Gatekeeper: {"gatekeeper", "rg", paint{"#b4540a", "#f2a65a"}},
	Proxy:      {"proxy", "rx", paint{"#8a3ab9", "#d19bf5"}},
}

// The other colours, by class.
var paints = []struct {
	class string
	paint
}{
	{"bg", paint{"#ffffff", "#0f1419"}},
	{"ink", paint{"#1c2128", "#e8edf3"}},
	{"soft", paint{"#656d76", "#98a3b0"}},
	{"hair", paint{"#d6dbe1", "#313a45"}},
	{"good", paint{"#1a7f37", "#57c46f"}},
	{"bad", paint{"#c62839", "#ff7b81"}},
}

// words are the events' names on chips.
var words = map[Event]string{
	Send: "sent", Receive: "received", Drop: "lost",
	Seal: "sealed", Open: "opened", Store: "stored", Deliver: "delivered", Reject: "rejected",
	Crash: "crashed", Restart: "restarted", Offline: "offline", Online: "online",
}

const (
	sans = `Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif`
	mono = `ui-monospace, SFMono-Regular, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace`
)

// svg writes elements. Colours are attributes for the light scheme, which any
// viewer understands, and a style sheet's for the dark one.
type svg struct {
	strings.Builder
}

func (s *svg) put(format string, args ...any) { fmt.Fprintf(s, format+"\n", args...) }

// text writes a text. style holds attributes besides place and colour.
func (s *svg) text(x, y float64, class, style, t string) {
	s.put(`<text x="%s" y="%s" %s %s>%s</text>`, num(x), num(y), fill(class), style, escape(t))
}

func light(class string) string {
	for _, p := range paints {
		if p.class == class {
			return p.light
		}
	}
	for _, r := range roles {
		if r.class == class {
			return r.light
		}
	}
	panic("trace: diagram: no colour " + class)
}

func fill(class string) string   { return fmt.Sprintf(`class="f-%s" fill="%s"`, class, light(class)) }
func stroke(class string) string { return fmt.Sprintf(`class="s-%s" stroke="%s"`, class, light(class)) }

// num writes a coordinate with at most one decimal.
func num(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", math.Round(x*10)/10+0), ".0")
}

// escape makes s the content of an element. Control characters, which have no
// place in a label or in XML, become U+FFFD, and so do those that turn the
// direction of what follows them (Unicode Standard Annex 9).
func escape(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic("trace: a strings.Builder refused to grow: " + err.Error())
	}
	return b.String()
}

func (s *svg) style() {
	s.put(`<style>`)
	s.put(`text{font-variant-numeric:tabular-nums}`)
	s.put(`@media (prefers-color-scheme: dark){`)
	for _, p := range paints {
		s.put(`.f-%s{fill:%s}.s-%s{stroke:%s}`, p.class, p.dark, p.class, p.dark)
	}
	for _, r := range roles {
		s.put(`.f-%s{fill:%s}.s-%s{stroke:%s}`, r.class, r.dark, r.class, r.dark)
	}
	s.put(`}`)
	s.put(`</style>`)
}
