package gatekeeper

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
)

// Values of a configuration file that read their text themselves. An error is what was
// expected.
type (
	network   netip.Prefix
	dialect   noise.Dialect
	native    ident.Server
	reach     dma.Reach
	rate      serve.Rate
	logFormat string
	logLevel  slog.Level
	duration  time.Duration // more than 0
)

func (n *network) UnmarshalText(b []byte) error {
	p, err := netip.ParsePrefix(string(b))
	if a, single := netip.ParseAddr(string(b)); single == nil {
		p, err = a.Prefix(a.BitLen())
	}
	if err != nil {
		return errors.New("an address, or a network such as 192.0.2.0/24")
	}
	*n = network(p)
	return nil
}

func (n network) String() string { return netip.Prefix(n).String() }

func prefixesOf(list []network) (out []netip.Prefix) {
	for _, n := range list {
		out = append(out, netip.Prefix(n))
	}
	return out
}

func (d *dialect) UnmarshalText(b []byte) error {
	var names []string
	for _, x := range noise.Dialects {
		if x.Name == string(b) {
			*d = dialect(x)
			return nil
		}
		names = append(names, x.Name)
	}
	return errors.New(strings.Join(names, " or "))
}

func (d dialect) String() string { return d.Name }

func (n *native) UnmarshalText(b []byte) error {
	switch string(b) {
	case "user":
		*n = native(ident.User)
	case "messenger":
		*n = native(ident.Messenger)
	default:
		return errors.New("user or messenger")
	}
	return nil
}

func (n native) String() string {
	if ident.Server(n) == ident.Messenger {
		return "messenger"
	}
	return "user"
}

func (r *reach) UnmarshalText(b []byte) error {
	x, err := dma.ParseReach(string(b))
	if err != nil {
		return errors.New("opt_in, ping_then_consent or default_on")
	}
	*r = reach(x)
	return nil
}

func (r reach) String() string { return dma.Reach(r).String() }

func (r *rate) UnmarshalText(b []byte) error {
	expected := errors.New("a rate such as 60/1h, or 0 for none")
	n, per, ok := strings.Cut(string(b), "/")
	k, err := strconv.ParseUint(n, 10, 31)
	if err != nil || ok == (k == 0) {
		return expected
	}
	*r = rate{}
	if k == 0 {
		return nil
	}
	d, err := time.ParseDuration(per)
	if err != nil || d < time.Duration(k) {
		return expected
	}
	*r = rate{N: int(k), Per: d}
	return nil
}

func (r rate) String() string {
	if r.N == 0 {
		return "0"
	}
	return fmt.Sprintf("%d/%v", r.N, brief(r.Per))
}

func (f *logFormat) UnmarshalText(b []byte) error {
	if s := string(b); s != "text" && s != "json" {
		return errors.New("text or json")
	}
	*f = logFormat(b)
	return nil
}

func (l *logLevel) UnmarshalText(b []byte) error {
	var x slog.Level
	if x.UnmarshalText(b) != nil {
		return errors.New("debug, info, warn or error")
	}
	*l = logLevel(x)
	return nil
}

func (d *duration) UnmarshalText(b []byte) error {
	x, err := time.ParseDuration(string(b))
	if err != nil || x <= 0 {
		return errors.New("a duration of more than 0, such as 10s")
	}
	*d = duration(x)
	return nil
}

// brief writes a duration without the parts that are 0: 1h, not 1h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
