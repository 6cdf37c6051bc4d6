package demo

import (
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/layout"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/outline"
	"github.com/mimi-lab/mimi-lab/sim/des"
	"github.com/mimi-lab/mimi-lab/sim/rooms"
)

// played is a story, as JSON.
type played struct {
	Draft    string        `json:"draft"`
	Room     string        `json:"room"`
	Policy   string        `json:"policy"`
	Seed     uint64        `json:"seed"`
	Sections []section     `json:"sections"`
	Verdict  []finding     `json:"verdict"`
	Holds    bool          `json:"holds"`
	Traffic  rooms.Traffic `json:"traffic"`
}

type section struct {
	Number  string   `json:"number,omitempty"`
	Title   string   `json:"title"`
	Moments []moment `json:"moments"`
}

// moment is a message, or what the user of a client or a provider's operator was told.
type moment struct {
	At       des.Time `json:"at"` // nanoseconds since the start
	Message  *message `json:"message,omitempty"`
	Client   string   `json:"client,omitempty"`
	Provider string   `json:"provider,omitempty"`
	Told     string   `json:"told,omitempty"`
}

type message struct {
	Number   int      `json:"number"`
	From     string   `json:"from"`
	To       string   `json:"to"`
	Kind     string   `json:"kind"`
	Endpoint string   `json:"endpoint,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	Answers  int      `json:"answers,omitempty"` // the number of another message
	Status   int      `json:"status,omitempty"`  // of HTTP
	Refused  string   `json:"refused,omitempty"`
	Arrived  des.Time `json:"arrived"` // -1 if it was lost
	Bytes    int      `json:"bytes"`
	Struct   string   `json:"struct,omitempty"`
	Holds    string   `json:"holds,omitempty"`
	// Body and Content are there with -v: the bytes, and the structs in them.
	Body    []byte          `json:"body,omitempty"` // in base64
	Content []*outline.Node `json:"content,omitempty"`
}

type finding struct {
	Promise string   `json:"promise"`
	Holds   bool     `json:"holds"`
	Broken  []string `json:"broken,omitempty"`
}

func asJSON(o *roomsOptions, s *rooms.Story) *played {
	p := &played{
		Draft: "draft-ietf-mimi-protocol-06", Room: rooms.Clubhouse.String(), Policy: o.Policy, Seed: o.Seed,
		Holds: s.Holds(), Traffic: s.Traffic(),
	}
	for i, sec := range s.Sections {
		to := des.Never
		if i+1 < len(s.Sections) {
			to = s.Sections[i+1].At
		}
		out := section{Number: sec.Number, Title: sec.Title}
		for _, m := range s.Moments(sec.At, to) {
			if m.Provider != nil {
				out.Moments = append(out.Moments, moment{At: m.At, Provider: m.Provider.Domain, Told: m.Text})
				continue
			}
			if m.Frame == nil {
				out.Moments = append(out.Moments, moment{At: m.At, Client: m.Device.URI.String(), Told: m.Text})
				continue
			}
			out.Moments = append(out.Moments, moment{At: m.At, Message: messageOf(m.Frame, o.Verbose)})
		}
		p.Sections = append(p.Sections, out)
	}
	for _, f := range s.Findings {
		p.Verdict = append(p.Verdict, finding{f.Promise, len(f.Broken) == 0, f.Broken})
	}
	return p
}

func messageOf(f *rooms.Frame, verbose bool) *message {
	m := &message{
		Number: f.Number, From: f.From, To: f.To, Kind: string(f.Kind), Endpoint: string(f.Endpoint), Subject: f.Subject,
		Answers: f.Answers, Status: f.Status, Refused: f.Reason, Arrived: f.Arrived, Bytes: len(f.Body), Struct: f.Struct, Holds: f.Holds(),
	}
	if !verbose || f.Struct == "" {
		return m
	}
	m.Body = f.Body
	for _, b := range bodies(f) {
		if read, err := layout.Read(b.data, b.kind); err == nil {
			m.Content = append(m.Content, read.Fields)
		}
	}
	return m
}
