package schedule

import (
	"fmt"
	"io"
)

// Types that hold secrets print none, by whatever verb of package fmt.

// Format hides the secrets.
func (Epoch) Format(f fmt.State, _ rune) { io.WriteString(f, "schedule.Epoch(hidden)") }

// Format hides the key.
func (p PSK) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "schedule.PSK(%v, hidden)", p.ID.Type) }

// Format hides key and nonce.
func (k Key) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "schedule.Key(generation %d, hidden)", k.Generation)
}

// Format hides the secrets.
func (SecretTree) Format(f fmt.State, _ rune) { io.WriteString(f, "schedule.SecretTree(hidden)") }

// Format hides the secrets.
func (ExporterTree) Format(f fmt.State, _ rune) { io.WriteString(f, "schedule.ExporterTree(hidden)") }
