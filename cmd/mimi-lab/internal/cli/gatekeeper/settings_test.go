package gatekeeper

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/dmadev"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/exit"
	"github.com/mimi-lab/mimi-lab/cmd/mimi-lab/internal/cli/term"
	"github.com/mimi-lab/mimi-lab/protocols/dma"
	"github.com/mimi-lab/mimi-lab/protocols/dma/serve"
	"github.com/mimi-lab/mimi-lab/protocols/dma/token"
)

// write writes a file of a test.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestExampleIsWhole: the example has every key with its default, and marks those that are
// assumed, and no others.
func TestExampleIsWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, err := read(write(t, dir, "example.yaml", example))
	if err != nil {
		t.Fatal(err)
	}
	want := defaults()
	want.Dev = filepath.Join(dir, "dma-dev")
	want.Listen, want.Chat, want.Proxied, want.Admin = "127.0.0.1:8443", "127.0.0.1:5222", "127.0.0.1:5223", "127.0.0.1:9090"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example says\n%+v, the defaults are\n%+v", got, want)
	}
	for key, assumed := range keys(reflect.TypeFor[settings]()) {
		line := regexp.MustCompile(`(?m)^[ #-]*` + key + `:.*$`).FindString(example)
		if line == "" {
			t.Errorf("the example is without the key %s", key)
		}
		if marked := strings.Contains(line, "ASSUMED"); assumed != marked {
			t.Errorf("key %s is assumed: %t; the example says %q", key, assumed, line)
		}
	}
	for _, section := range []string{"limits", "rates"} {
		if !regexp.MustCompile(`(?m)^` + section + `: +# ASSUMED, all of them`).MatchString(example) {
			t.Errorf("section %s is not marked", section)
		}
	}
}

// keys returns all keys of a type, and whether they are assumed by themselves: a key of a
// section that is assumed is not.
func keys(t reflect.Type) map[string]bool {
	all := map[string]bool{}
	for i := range t.NumField() {
		f := t.Field(i)
		name := f.Tag.Get("json")
		if name == "" {
			continue
		}
		all[name] = f.Tag.Get("assumed") == "true"
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if inner.Kind() == reflect.Struct && inner.NumField() > 0 && inner.Field(0).Tag.Get("json") != "" {
			for k, v := range keys(inner) {
				all[k] = v
			}
		}
	}
	return all
}

// TestAssumedIsWhole: what is said to be assumed has every key that is marked so, and all of
// the sections that are.
func TestAssumedIsWhole(t *testing.T) {
	t.Parallel()
	s := defaults()
	s.OwnKeys = "own.jwks"
	s.Partners = []partnerSettings{{Integrator: 2, URL: "https://partner.example", Media: "https://media.partner.example"}}
	said := map[string]bool{}
	for _, p := range assumedOf(s) {
		said[p.key[strings.LastIndex(p.key, ".")+1:]] = true
		if p.value == "" {
			t.Errorf("%s has no value", p.key)
		}
	}
	want := keys(reflect.TypeFor[settings]())
	for _, section := range []reflect.Type{reflect.TypeFor[limits](), reflect.TypeFor[rates]()} {
		delete(want, strings.ToLower(section.Name()))
		for key := range keys(section) {
			want[key] = true
		}
	}
	for key, assumed := range want {
		if assumed != said[key] {
			t.Errorf("key %s is assumed: %t; it is said to be: %t", key, assumed, said[key])
		}
	}
}

// TestDefaultsAreThoseOfThePackages: a file that says nothing changes nothing of the
// limits that the packages have by default.
func TestDefaultsAreThoseOfThePackages(t *testing.T) {
	t.Parallel()
	s := defaults()
	if got := s.machine().Quotas; got != dma.DefaultQuotas() {
		t.Errorf("quotas: %+v, want %+v", got, dma.DefaultQuotas())
	}
	if got := s.machine(); got.PerSender != dma.DefaultPerSender || got.Retention != dma.DefaultRetention || got.UnenlistAfter != dma.DefaultUnenlistAfter {
		t.Errorf("machine: %+v", got)
	}
	if got := serve.DefaultMediaLimits(); s.transfers() != got {
		t.Errorf("transfers: %+v, want %+v", s.transfers(), got)
	}
	if got := serve.DefaultLimits(); s.limits() != got {
		t.Errorf("limits: %+v, want %+v", s.limits(), got)
	}
}

// TestCheckRefuses: each mistake is told with its line, its key and what was expected.
func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, want string }{
		{"unknown key", "dev: d\nlisten_to: x\n", ":2:1: found the key listen_to, expected listen"},
		{"reach", "dev: d\nservice:\n  reach: everybody\n", `:3:10: service.reach: found "everybody", expected opt_in, ping_then_consent or default_on`},
		{"rate", "dev: d\nrates:\n  connects_of_one_address: 5\n", ":3:28: rates.connects_of_one_address: found 5, expected a rate such as 60/1h"},
		{"dialect", "dev: d\ndialect: plain\n", `:2:10: dialect: found "plain", expected lab or whatsapp`},
		{"native", "dev: d\nservice: {native: signal}\n", "expected user or messenger"},
		{"network", "dev: d\nproxies: [all]\n", `:2:11: proxies.0: found "all", expected an address, or a network`},
		{"log", "dev: d\nlog: {format: xml, level: loud}\n", "log.level: found \"loud\", expected debug, info, warn or error"},
		{"shutdown", "dev: d\nshutdown: 0s\n", "expected a duration of more than 0"},
		{"no dev and no key", "certificate: c.pem\n", "key: found nothing, expected a value, or dev"},
		{"both", "dev: d\nkey: k.pem\n", "key: found it beside dev, expected one of them"},
		{"own keys and dev", "dev: d\nown_keys: k\n", "own_keys: found it beside dev"},
		{"number of dev's partner", "dev: d\npartners: [{integrator: 1, url: https://p.example}]\n", "partners.0.integrator: found 1, expected a number from 2 on"},
		{"number twice", "dev: d\npartners: [{integrator: 2, url: https://p.example}, {integrator: 2, url: https://q.example}]\n", "partners.1.integrator: found 2"},
		{"media over http", "dev: d\npartners: [{integrator: 2, url: https://p.example, media_url: http://p.example}]\n", `partners.0.media_url: found "http://p.example", expected https://HOST`},
		{"no transfers", "dev: d\nmedia: {transfers: 0}\n", "media: found a bound of transfers that is 0 or less"},
		{"http", "dev: d\npartners: [{integrator: 2, url: http://p.example}]\n", `partners.0.url: found "http://p.example", expected https://HOST`},
	} {
		_, err := read(write(t, t.TempDir(), "c.yaml", tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || exit.Code(err) != exit.Usage || !strings.Contains(exit.Hint(err), "config example") {
			t.Errorf("%s: got %v with the hint %q, want %q", tt.name, err, exit.Hint(err), tt.want)
		}
	}
}

// TestRates: a rate is read as it is written.
func TestRates(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"0", "60/1h", "300/1m", "1000/1s", "7/1h30m", "1/10m0.5s"} {
		var r rate
		if err := r.UnmarshalText([]byte(text)); err != nil || r.String() != text {
			t.Errorf("%s: got %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"", "x", "60", "0/1h", "-1/1h", "5/", "5/1ns", "5/1h/2"} {
		if err := new(rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// TestFiles: a gatekeeper may be of files, its keys in such that nobody else can read.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dev, err := dmadev.Make(filepath.Join(dir, "dev"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "gk.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: dev.TLS.Certificate[0]})))
	private := func(name string, key any) {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	}
	private("gk.key", dev.TLS.PrivateKey)
	_, signing, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private("signing.key", signing)
	write(t, dir, "noise.key", strings.Repeat("0a", 32)+"\n")
	own, err := token.Document(dev.Own)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "own.jwks", string(own))
	file := write(t, dir, "c.yaml", `
certificate: gk.pem
key: gk.key
noise_key: noise.key
signing_key: signing.key
own_keys: own.jwks
store: sqlite:gk.db
admin: 127.0.0.1:0
partners: [{integrator: 1, url: https://partner.example}]
log: {format: json, level: error}
`)
	says, stop := run(t, &serveOptions{Config: file})
	address := regexp.MustCompile(`http://(\S+)/healthz`).FindStringSubmatch(says)
	if address == nil {
		t.Fatalf("it says %q", says)
	}
	for path, want := range map[string]string{"/healthz": "ok\n", "/metrics": "mimi_gatekeeper_connected 0\n", "/stats": `"connected":0`} {
		resp, err := http.Get("http://" + address[1] + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, without %q", path, resp.StatusCode, want)
		}
	}
	if !strings.Contains(says, " rates.enlistments_of_one_address 60/1h;") {
		t.Errorf("what is assumed is not said: %q", says)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{"noise.key": "0a", "signing.key": "no PEM", "gk.pem": "no PEM", "own.jwks": "{"} {
		before, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, text)
		s, err := read(file)
		if err == nil {
			var d *dmadev.Dir
			if d, err = s.directory(time.Now()); err == nil {
				_, err = s.own(d)
			}
		}
		if err == nil || exit.Code(err) != exit.Usage {
			t.Errorf("%s: got %v", name, err)
		}
		write(t, dir, name, string(before))
	}
	if runtime.GOOS == "windows" {
		return // which has no such permissions
	}
	if err := os.Chmod(filepath.Join(dir, "noise.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := read(file)
	if err == nil {
		_, err = s.directory(time.Now())
	}
	if err == nil || !strings.Contains(err.Error(), "others may read or write it") {
		t.Errorf("a key that others may read: %v", err)
	}
}

// run runs gatekeeper serve until stop is called, and returns what it says.
func run(t *testing.T, o *serveOptions) (says string, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	o.IO = &term.IO{Out: w, Err: io.Discard, Now: time.Now}
	var err error
	if o.set, err = o.settings(func(string) bool { return false }); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		err := runServe(ctx, o)
		_ = w.CloseWithError(io.EOF)
		ended <- err
	}()
	out := bufio.NewReader(r)
	for !strings.Contains(says, " rates.exempt ") { // the last line
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatalf("after %q: %v", says, <-ended)
		}
		says += line
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return says, func() error {
		cancel()
		return <-ended
	}
}
