package gatekeeper

import (
	"crypto"
	"crypto/ecdh"
	"crypto/tls"
	"crypto/x509"
	_ "embed" // of the example
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/config"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/protocols/adapters"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/noise"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve/blob"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// example is a configuration file with every key, each with its default.
//
//go:embed example.yaml
var example string

// settings are what a configuration file says. What no public text says has the tag
// assumed.
type settings struct {
	Dev         string `json:"dev"`
	Certificate string `json:"certificate"`
	Key         string `json:"key"`
	NoiseKey    string `json:"noise_key"`
	SigningKey  string `json:"signing_key"`
	Store       string `json:"store"`
	Name        string `json:"name"`

	Listen  string `json:"listen"`
	Chat    string `json:"chat"`
	Proxied string `json:"proxied"`
	Admin   string `json:"admin"`

	Proxies []network `json:"proxies"`
	OwnKeys string    `json:"own_keys" assumed:"true"`
	Dialect dialect   `json:"dialect" assumed:"true"`

	Partners []partnerSettings `json:"partners"`

	Service  service  `json:"service"`
	Media    media    `json:"media"`
	Limits   limits   `json:"limits" assumed:"true"`
	Rates    rates    `json:"rates" assumed:"true"`
	Log      logging  `json:"log"`
	Shutdown duration `json:"shutdown"`
}

// partnerSettings are those of a partner with a server of its own.
type partnerSettings struct {
	Integrator uint16 `json:"integrator"`
	URL        string `json:"url"`
	Roots      string `json:"roots"`
	Private    bool   `json:"private"`
	Media      string `json:"media_url" assumed:"true"` // {3p_base_url}; "" is below URL
}

// service is what users can do.
type service struct {
	Native        native        `json:"native"`
	Reach         reach         `json:"reach" assumed:"true"`
	Retention     time.Duration `json:"retention"`
	UnenlistAfter time.Duration `json:"unenlist_after"`
	Pings         int           `json:"pings_per_day" assumed:"true"`
	RefillBelow   int           `json:"refill_below" assumed:"true"`
	CheckKeys     bool          `json:"check_keys" assumed:"true"`
	GroupLimit    int           `json:"group_limit" assumed:"true"`
	PerSender     int           `json:"waiting_of_one_sender" assumed:"true"`
	Waiting       int           `json:"waiting" assumed:"true"`
	Bytes         int           `json:"waiting_bytes" assumed:"true"`
	Fetches       int           `json:"fetches" assumed:"true"`
	FetchesOfOne  int           `json:"fetches_of_one_user" assumed:"true"`
	FetchEvery    time.Duration `json:"fetches_per" assumed:"true"`
}

// media says what the media host keeps.
type media struct {
	Directory string        `json:"directory"` // "" is without one; that of dev has its own
	Host      string        `json:"host"`      // "" is the address of listen
	Max       int           `json:"mib_of_one"`
	PerOwner  int           `json:"mib_of_one_user" assumed:"true"`
	Total     int           `json:"mib_of_all" assumed:"true"`
	Retention time.Duration `json:"kept_for" assumed:"true"`
	ForAll    bool          `json:"for_all" assumed:"true"`
	Lifetime  time.Duration `json:"token_lifetime" assumed:"true"`
	Transfers int           `json:"transfers" assumed:"true"`
	OfUser    int           `json:"transfers_of_one_user" assumed:"true"`
	OfPartner int           `json:"transfers_of_one_host" assumed:"true"`
	Stall     time.Duration `json:"stall_timeout" assumed:"true"`
	Timeout   time.Duration `json:"transfer_timeout" assumed:"true"`
}

// limits are bounds of the servers.
type limits struct {
	Connections int `json:"connections"`
	Handshakes  int `json:"handshakes"`
	Enlistments int `json:"enlistments"`
	Requests    int `json:"requests"`
	Checks      int `json:"checks_of_one_partner"`
	Frame       int `json:"frame_bytes"`
	Steps       int `json:"steps"`
	Queue       int `json:"queue_bytes"`

	RequestTimeout   time.Duration `json:"request_timeout"`
	HandshakeTimeout time.Duration `json:"handshake_timeout"`
	FrameTimeout     time.Duration `json:"frame_timeout"`
	IdleTimeout      time.Duration `json:"idle_timeout"`
	WriteTimeout     time.Duration `json:"write_timeout"`
}

// rates are bounds for one address, partner or client.
type rates struct {
	Connections        int       `json:"connections_of_one_address"`
	Handshakes         int       `json:"handshakes_of_one_address"`
	Connects           rate      `json:"connects_of_one_address"`
	Enlistments        rate      `json:"enlistments_of_one_address"`
	PartnerEnlistments rate      `json:"enlistments_of_one_partner"`
	Stanzas            rate      `json:"stanzas_of_one_client"`
	Exempt             []network `json:"exempt"`
}

// logging says how the log is written.
type logging struct {
	Format logFormat `json:"format"`
	Level  logLevel  `json:"level"`
}

// defaults returns the settings of a file that says nothing.
func defaults() *settings {
	q := dma.DefaultQuotas()
	return &settings{
		Name: dmadev.Gatekeeper, Listen: "127.0.0.1:0", Chat: "127.0.0.1:0", Proxied: "127.0.0.1:0",
		Proxies: []network{network(netip.MustParsePrefix("127.0.0.0/8"))}, Dialect: dialect(noise.Lab), Log: logging{Format: "text"}, Shutdown: duration(10 * time.Second),
		Service: service{
			Native: native(ident.User), Reach: reach(dma.DefaultOn), Retention: dma.DefaultRetention, UnenlistAfter: dma.DefaultUnenlistAfter,
			Pings: 5, RefillBelow: 5, CheckKeys: true, GroupLimit: dma.DefaultGroupLimit, PerSender: dma.DefaultPerSender,
			Waiting: q.Waiting, Bytes: q.Bytes, Fetches: q.Fetches, FetchesOfOne: q.FetchesOfOne, FetchEvery: q.FetchEvery,
		},
		Media: media{
			Max: 16, PerOwner: 1 << 10, Total: 64 << 10, Retention: 30 * 24 * time.Hour, Lifetime: dma.DefaultMediaLifetime,
			Transfers: 64, OfUser: 4, OfPartner: 16, Stall: 20 * time.Second, Timeout: 10 * time.Minute,
		},
		Limits: limits{
			Connections: 10000, Handshakes: 256, Enlistments: 64, Requests: 1000, Checks: 32, Frame: 1 << 20, Steps: 32, Queue: 1 << 20,
			RequestTimeout: 20 * time.Second, HandshakeTimeout: 10 * time.Second, FrameTimeout: 20 * time.Second,
			IdleTimeout: 75 * time.Second, WriteTimeout: 20 * time.Second,
		},
		Rates: rates{
			Connections: 100, Handshakes: 16, Connects: rate{N: 300, Per: time.Minute}, Enlistments: rate{N: 60, Per: time.Hour},
			PartnerEnlistments: rate{N: 10000, Per: time.Hour}, Stanzas: rate{N: 1000, Per: time.Second},
			Exempt: []network{network(netip.MustParsePrefix("127.0.0.0/8")), network(netip.MustParsePrefix("::1/128"))},
		},
	}
}

// read reads a configuration file over the defaults.
func read(file string) (*settings, error) {
	s := defaults()
	if err := config.Read(file, s); err != nil {
		var exits *exit.Error
		if errors.As(err, &exits) {
			exits.Hint = `"mimi-lab gatekeeper config example" shows every key.`
		}
		return nil, err
	}
	config.Beside(file, &s.Dev, &s.Certificate, &s.Key, &s.NoiseKey, &s.SigningKey, &s.OwnKeys, &s.Media.Directory)
	config.BesideStore(file, &s.Store)
	for i := range s.Partners {
		config.Beside(file, &s.Partners[i].Roots)
	}
	if err := s.check(); err != nil {
		return nil, exit.Usagef(`"mimi-lab gatekeeper config example" shows every key.`, "configuration %s: %w", file, err)
	}
	return s, nil
}

// files are those that a gatekeeper without a directory of --dev needs.
func (s *settings) files() []struct{ key, value string } {
	return []struct{ key, value string }{
		{"certificate", s.Certificate}, {"key", s.Key}, {"noise_key", s.NoiseKey}, {"signing_key", s.SigningKey}, {"store", s.Store},
	}
}

// check says what does not go together.
func (s *settings) check() error {
	for _, f := range s.files() {
		switch {
		case s.Dev == "" && f.value == "":
			return fmt.Errorf("%s: found nothing, expected a value, or dev and a directory that has all", f.key)
		case s.Dev != "" && f.value != "":
			return fmt.Errorf("%s: found it beside dev, expected one of them", f.key)
		}
	}
	if s.Dev != "" && s.OwnKeys != "" {
		return errors.New("own_keys: found it beside dev, expected one of them")
	}
	if m := &s.Media; m.Max < 1 || m.Max > maxMediaMiB || m.PerOwner < m.Max || m.Total < m.PerOwner || m.Retention <= 0 {
		return fmt.Errorf("media: found %d, %d and %d MiB of one, of one user and of all for %v; expected 1 to %d for one, no less for the others, and a time",
			m.Max, m.PerOwner, m.Total, m.Retention, maxMediaMiB)
	}
	if m := &s.Media; min(m.Transfers, m.OfUser, m.OfPartner) < 1 || min(m.Stall, m.Timeout) <= 0 || m.Lifetime < time.Second {
		return errors.New("media: found a bound of transfers that is 0 or less, or a token_lifetime below 1s; expected 1 or more of each")
	}
	if n := s.Service.GroupLimit; n < 2 || n > dma.MaxGroupLimit {
		return fmt.Errorf("service.group_limit: found %d, expected 2 to %d", n, dma.MaxGroupLimit)
	}
	seen := map[uint16]bool{}
	for i, p := range s.Partners {
		first := uint16(1)
		if s.Dev != "" {
			first = dmadev.Integrator + 1
		}
		switch {
		case p.Integrator < first || seen[p.Integrator]:
			return fmt.Errorf("partners.%d.integrator: found %d, expected a number from %d on that no other has", i, p.Integrator, first)
		case !strings.HasPrefix(p.URL, "https://"):
			return fmt.Errorf("partners.%d.url: found %q, expected https://HOST with a path at most", i, p.URL)
		case p.Media != "" && !strings.HasPrefix(p.Media, "https://"):
			return fmt.Errorf("partners.%d.media_url: found %q, expected https://HOST with a path at most", i, p.Media)
		}
		seen[p.Integrator] = true
	}
	return nil
}

// machine returns the configuration of the gatekeeper's machine.
func (s *settings) machine() dma.GatekeeperConfig {
	v := &s.Service
	return dma.GatekeeperConfig{
		Native: ident.Server(v.Native), Reach: dma.Reach(v.Reach), Retention: v.Retention, UnenlistAfter: v.UnenlistAfter,
		PingLimit: v.Pings, RefillBelow: v.RefillBelow, GroupLimit: v.GroupLimit, PerSender: v.PerSender, CheckKeys: v.CheckKeys && signs(),
		Quotas: dma.Quotas{Fetches: v.Fetches, FetchesOfOne: v.FetchesOfOne, FetchEvery: v.FetchEvery, Waiting: v.Waiting, Bytes: v.Bytes},
	}
}

// signs reports whether the devices of this build sign their keys; a modelled adapter does
// not.
func signs() bool {
	for _, a := range adapters.All() {
		if strings.HasPrefix(a.Name(), "signal-") {
			return !a.Claims().Modelled
		}
	}
	return true
}

// maxMediaMiB bounds what --max-media can ask for.
const maxMediaMiB = 1 << 10

// media returns what the media host keeps, and where.
func (s *settings) media() blob.Config {
	const mib = 1 << 20
	m := &s.Media
	return blob.Config{Dir: m.Directory, MaxMedium: uint64(m.Max) * mib, PerOwner: uint64(m.PerOwner) * mib, Total: uint64(m.Total) * mib, Retention: m.Retention}
}

// transfers returns the bounds of the media host's transfers.
func (s *settings) transfers() serve.MediaLimits {
	m := &s.Media
	return serve.MediaLimits{Transfers: m.Transfers, PerUser: m.OfUser, PerPartner: m.OfPartner, Stall: m.Stall, Timeout: m.Timeout}
}

func (s *settings) limits() serve.Limits { return serve.Limits(s.Limits) }

func (s *settings) rates() serve.Rates {
	r := &s.Rates
	return serve.Rates{
		Connections: r.Connections, Handshakes: r.Handshakes, Connects: serve.Rate(r.Connects), Enlistments: serve.Rate(r.Enlistments),
		PartnerEnlistments: serve.Rate(r.PartnerEnlistments), Stanzas: serve.Rate(r.Stanzas), Exempt: prefixesOf(r.Exempt),
	}
}

// directory returns keys and certificates, those of a directory of --dev or of files.
func (s *settings) directory(now time.Time) (*dmadev.Dir, error) {
	if s.Dev != "" {
		d, err := dmadev.Make(s.Dev, now)
		if err == nil && s.Media.Directory == "" {
			s.Media.Directory = d.Media()
		}
		return d, err
	}
	d := &dmadev.Dir{}
	for _, f := range []struct{ key, file string }{{"key", s.Key}, {"noise_key", s.NoiseKey}, {"signing_key", s.SigningKey}} {
		if err := config.Private(f.key, f.file); err != nil {
			return nil, err
		}
	}
	var err error
	if d.TLS, err = tls.LoadX509KeyPair(s.Certificate, s.Key); err != nil {
		return nil, exit.Usagef("", "certificate: %w", err)
	}
	if d.Noise, err = readNoiseKey(s.NoiseKey); err != nil {
		return nil, exit.Usagef("openssl rand -hex 32 makes one.", "noise_key %s: %w", s.NoiseKey, err)
	}
	if d.Own, err = readSigner(s.SigningKey); err != nil {
		return nil, exit.Usagef("openssl genpkey -algorithm ed25519 makes one.", "signing_key %s: %w", s.SigningKey, err)
	}
	return d, nil
}

// readNoiseKey reads a static key: its private part, in hexadecimal.
func readNoiseKey(file string) (suite.KeyPair, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return suite.KeyPair{}, err
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(b)))
	if err != nil || len(raw) != 32 {
		return suite.KeyPair{}, errors.New("want 32 bytes in hexadecimal") // and nothing of the key
	}
	k, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		return suite.KeyPair{}, errors.New("want a private key of X25519")
	}
	return suite.KeyPair{Private: raw, Public: k.PublicKey().Bytes()}, nil
}

// readSigner reads a key of PKCS #8 in PEM.
func readSigner(file string) (*token.Signer, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, _ := pem.Decode(b)
	if p == nil {
		return nil, errors.New("want a private key of PKCS #8 in PEM")
	}
	k, err := x509.ParsePKCS8PrivateKey(p.Bytes)
	if err != nil {
		return nil, errors.New("want a private key of PKCS #8 in PEM")
	}
	signer, ok := k.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T, want a key that signs", k)
	}
	return token.NewSigner("gatekeeper-1", signer)
}
