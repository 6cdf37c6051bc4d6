package report

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Manifest says how a set of results came about: all that is needed to run it
// again, and to judge it. It is the only file that may differ between two runs of
// the same scenario, seeds and commit.
type Manifest struct {
	Complete     bool          `json:"complete"`     // false if the run was interrupted
	Replications Progress      `json:"replications"` // over all points of the sweep; Done is filled in if 0
	Question     string        `json:"question,omitempty"`
	Scenario     Scenario      `json:"scenario"`
	Command      []string      `json:"command"`     // as it was given
	Replay       string        `json:"replay"`      // one line that repeats the run
	Seeds        []uint64      `json:"seeds"`       // of the replications; if empty, filled in by Report.Write
	Adapters     []AdapterUsed `json:"adapters"`    // end-to-end protocols that ran
	Intervals    Intervals     `json:"intervals"`   // filled in by Report.Write
	Drafts       []Revision    `json:"drafts"`      // specifications and their revisions
	Assumptions  []Assumption  `json:"assumptions"` // what no public source says
	Build        Build         `json:"build"`       // filled in by NewManifest
	Machine      Machine       `json:"machine"`     // filled in by NewManifest
	Took         time.Duration `json:"took_ns"`     // wall-clock time of the run
	Files        []File        `json:"files"`       // filled in by Report.Write
}

// Progress counts replications.
type Progress struct {
	Done    int `json:"done"`
	Planned int `json:"planned"`
}

// Scenario names what was run.
type Scenario struct {
	Name   string `json:"name"`
	Title  string `json:"title,omitempty"`
	SHA256 string `json:"sha256"` // hexadecimal, of the file with its overrides applied
}

// AdapterUsed is an end-to-end protocol that ran. A modelled one has true sizes
// but no cryptography.
type AdapterUsed struct {
	Name     string `json:"name"`
	Modelled bool   `json:"modelled"`
}

// Intervals says which kinds of intervals the summary holds.
type Intervals struct {
	Level   float64  `json:"level"`
	Methods []Method `json:"methods"` // sorted
}

// Revision is one specification in one revision: "draft-ietf-mimi-protocol", "06".
type Revision struct {
	Name     string `json:"name"`
	Revision string `json:"revision"`
}

// Assumption is a parameter that was set without a public source.
type Assumption struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Why   string `json:"why,omitempty"`
}

// Build is the program that ran.
type Build struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Commit   string `json:"commit"`   // "unknown" if built without version control
	Modified bool   `json:"modified"` // the tree differed from the commit
	Go       string `json:"go"`
}

// Machine is what the program ran on. It never names the machine.
type Machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"`
}

// NewManifest returns a manifest that knows the command line, the program and
// the machine.
func NewManifest(command []string) Manifest {
	m := Manifest{
		Command: command,
		Build:   Build{Version: "unknown", Commit: "unknown", Go: runtime.Version()},
		Machine: Machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()},
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return m
	}
	m.Build.Module, m.Build.Version = info.Main.Path, info.Main.Version
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			m.Build.Commit = s.Value
		case "vcs.modified":
			m.Build.Modified = s.Value == "true"
		}
	}
	return m
}

// modelled reports whether any adapter was.
func (m *Manifest) modelled() bool {
	for _, a := range m.Adapters {
		if a.Modelled {
			return true
		}
	}
	return false
}
