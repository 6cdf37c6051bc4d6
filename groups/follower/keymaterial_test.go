package follower

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mimi-lab/mimi-lab/protocols/ident"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

func statuses(r *mimi.KeyMaterialResponse) string {
	out := []string{r.UserStatus.String()}
	for _, c := range r.Clients {
		out = append(out, c.ClientStatus.String())
	}
	return strings.Join(out, " ")
}

// "KeyMaterialUserCode" and "KeyMaterialClientCode", Fetch Key Material.
func TestClaim(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	if got := statuses(l.claim(clubhouse)); got != "noCompatibleMaterial keyMaterialExhausted keyMaterialExhausted" {
		t.Errorf("nothing published: %s", got)
	}
	l.publish(clientB1, 2)
	if got := statuses(l.claim(clubhouse)); got != "partialSuccess success keyMaterialExhausted" {
		t.Errorf("one client has some: %s", got)
	}
	l.publish(clientB2, 1)
	r := l.claim(clubhouse)
	if got := statuses(r); got != "success success success" {
		t.Errorf("both have some: %s", got)
	}
	if r.Clients[0].ClientURI != mimi.URI(clientB1) || r.Clients[1].ClientURI != mimi.URI(clientB2) || r.UserURI != mimi.URI(bob) {
		t.Errorf("clients %q and %q of %q", r.Clients[0].ClientURI, r.Clients[1].ClientURI, r.UserURI)
	}
	if err := r.Check(); err != nil {
		t.Error(err)
	}
	if got := statuses(l.claim(clubhouse)); got != "noCompatibleMaterial keyMaterialExhausted keyMaterialExhausted" {
		t.Errorf("all given out: %s", got)
	}
}

// "Keying material provided from one response MUST NOT be provided in any other
// response": not after a restart either.
func TestClaimOnce(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.publish(clientB1, 5)
	seen := map[string]bool{}
	for range 5 {
		k := l.claim(clubhouse).Clients[0].KeyPackage
		ref, err := k.Ref(l.suite)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(ref)] {
			t.Fatal("a KeyPackage was given out twice")
		}
		seen[string(ref)] = true
		l.restart()
	}
	again := l.keyPackage(clientB1, mls.LeafOptions{})
	l.step(Publish{clientB1, []message.KeyPackage{again}})
	l.refused(statusConflict, "published before", Publish{clientB1, []message.KeyPackage{again}})
	l.claim(clubhouse)
	l.refused(statusConflict, "published before", Publish{clientB1, []message.KeyPackage{again}})
}

// "The target provider MUST NOT provide expired keying material".
func TestClaimExpired(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	short := message.Lifetime{NotBefore: uint64(start.Unix()) - 10, NotAfter: uint64(start.Unix()) + 10}
	l.step(Publish{clientB1, []message.KeyPackage{l.keyPackage(clientB1, mls.LeafOptions{Lifetime: short})}})
	l.now = start.Add(11 * time.Second)
	if got := statuses(l.claim(clubhouse)); got != "noCompatibleMaterial keyMaterialExhausted keyMaterialExhausted" {
		t.Error(got)
	}
}

// A client learns how many of its KeyPackages are left and last, and expired ones are not
// in the way of others.
func TestKeyPackagesLeft(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.KeyPackages = 4 })
	left := func(when string, want int) {
		t.Helper()
		if n, err := l.f.KeyPackages(l.now, clientB1); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", when, n, err, want)
		}
	}
	short := message.Lifetime{NotBefore: uint64(start.Unix()), NotAfter: uint64(start.Unix()) + 100}
	var list []message.KeyPackage
	for range 3 {
		list = append(list, l.keyPackage(clientB1, mls.LeafOptions{Lifetime: short}))
	}
	list = append(list, l.keyPackage(clientB1, mls.LeafOptions{Lifetime: short, LastResort: true}))
	l.step(Publish{clientB1, list})
	left("published", 3)
	l.claim(clubhouse)
	left("claimed", 2)
	l.now = start.Add(89 * time.Second)
	left("with a bit more than a tenth of the lifetime", 2)
	l.now = start.Add(90 * time.Second)
	left("with a tenth of it", 0)
	more := []message.KeyPackage{l.keyPackage(clientB1, mls.LeafOptions{}), l.keyPackage(clientB1, mls.LeafOptions{})}
	l.refused(429, "5 KeyPackages", Publish{clientB1, more})
	l.now = start.Add(101 * time.Second)
	l.step(Publish{clientB1, append(more, l.keyPackage(clientB1, mls.LeafOptions{}), l.keyPackage(clientB1, mls.LeafOptions{}))})
	left("expired, and published anew", 4)
	if n := len(l.f.clients[clientB1].packages); n != 4 {
		t.Errorf("%d KeyPackages are kept, want 4", n)
	}
	l.now = start.Add(366 * 24 * time.Hour)
	l.step(Wake{})
	if n := len(l.f.clients[clientB1].packages); n != 0 {
		t.Errorf("%d KeyPackages are kept after they have expired, want none", n)
	}
	if _, err := l.f.KeyPackages(l.now, uri("mimi://b.example/d/nobody/N1")); err == nil {
		t.Error("a client that is none has KeyPackages")
	}
}

// A KeyPackage of last resort goes out when there is no other, and stays.
func TestClaimLastResort(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	last := l.keyPackage(clientB1, mls.LeafOptions{LastResort: true})
	l.step(Publish{clientB1, []message.KeyPackage{last}})
	l.publish(clientB1, 1)
	var given []bool
	for range 3 {
		k := l.claim(clubhouse).Clients[0].KeyPackage
		given = append(given, l.cfg.Groups[l.suite.ID()].IsLastResort(k))
	}
	if !slices.Equal(given, []bool{false, true, true}) {
		t.Errorf("last resort: %v, want false, true, true", given)
	}
	for range 2 { // every Welcome finds its client
		if out := l.notify(func() mimi.FanoutMessage {
			w := l.welcome(&last)
			w.Timestamp += uint64(l.f.clients[clientB1].nextBox)
			return w
		}()); len(l.f.clients[clientB1].box) == 0 {
			t.Errorf("a Welcome is lost: %+v", out)
		}
	}
}

func TestClaimCompatible(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(*mimi.KeyMaterialRequest)
		want   string
	}{
		"nothing required": {func(*mimi.KeyMaterialRequest) {}, "partialSuccess success"},
		"a second suite": {func(r *mimi.KeyMaterialRequest) {
			r.AcceptableCiphersuites = append(r.AcceptableCiphersuites, suite.P256AES128GCMSHA256P256)
		}, "partialSuccess success"},
		"an unknown extension": {func(r *mimi.KeyMaterialRequest) {
			r.RequiredCapabilities.Extensions = []message.ExtensionType{0xff77}
		}, "noCompatibleMaterial nothingCompatible"},
		"an unknown proposal": {func(r *mimi.KeyMaterialRequest) {
			r.RequiredCapabilities.Proposals = []message.ProposalType{0xff77}
		}, "noCompatibleMaterial nothingCompatible"},
		"X.509": {func(r *mimi.KeyMaterialRequest) {
			r.RequiredCapabilities.Credentials = []message.CredentialType{message.CredentialX509}
		}, "noCompatibleMaterial nothingCompatible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nil)
			l.publish(clientB1, 1)
			out := l.step(ClaimKeyMaterial{"a.example", l.request(clientA1, bob, clubhouse, row.change)})
			if got := statuses(out.Response.(*mimi.KeyMaterialResponse)); got != row.want+" keyMaterialExhausted" {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}

// Who asks for whom, and through whom.
func TestClaimRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, nil)
	l.publish(clientB1, 1)
	for name, row := range map[string]struct {
		from   string
		room   ident.URI
		change func(*mimi.KeyMaterialRequest)
		forge  func(*mimi.KeyMaterialRequest)
		status int
		says   string
	}{
		"another hub":       {"c.example", clubhouse, nil, nil, 403, "comes from c.example, want it from a.example"},
		"outside of a room": {"c.example", ident.URI{}, nil, nil, 403, "want it from a.example"},
		"another's user": {"a.example", clubhouse, func(r *mimi.KeyMaterialRequest) { r.TargetUser = "mimi://c.example/u/cathy" }, nil,
			404, "no user of b.example"},
		"a client for a target": {"a.example", clubhouse, func(r *mimi.KeyMaterialRequest) { r.TargetUser = mimi.URI(clientB1) }, nil,
			404, "no user of b.example"},
		"a room that is none": {"a.example", clubhouse, func(r *mimi.KeyMaterialRequest) { r.RoomID = mimi.URI(bob) }, nil,
			400, "no room's URI"},
		"another's credential": {"a.example", clubhouse, func(r *mimi.KeyMaterialRequest) {
			r.RequesterCredential = message.BasicCredential([]byte("mimi://a.example/d/mallory/M1"))
		}, nil, 403, "not of a client of mimi://a.example/u/alice"},
		"no cipher suites": {"a.example", clubhouse, nil, func(r *mimi.KeyMaterialRequest) { r.AcceptableCiphersuites = nil },
			400, "no acceptableCiphersuites"},
		"a changed target": {"a.example", clubhouse, nil, func(r *mimi.KeyMaterialRequest) { r.TargetUser = mimi.URI(bella) },
			403, "signature"},
		"no signature": {"a.example", clubhouse, nil, func(r *mimi.KeyMaterialRequest) { r.Signature = nil },
			403, "signature"},
		"an unknown suite": {"a.example", clubhouse, nil, func(r *mimi.KeyMaterialRequest) { r.AcceptableCiphersuites = []suite.ID{7} },
			403, "want one of"},
	} {
		r := l.request(clientA1, bob, row.room, row.change)
		if row.forge != nil {
			row.forge(r)
		}
		t.Log(name)
		l.refused(row.status, row.says, ClaimKeyMaterial{row.from, r})
	}
	if got := statuses(l.claim(ident.URI{})); got != "partialSuccess success keyMaterialExhausted" {
		t.Errorf("outside of a room, from its own provider: %s", got)
	}
}

// A requester who drains a user's KeyPackages is told to wait.
func TestClaimDraining(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.Claims = 2 })
	l.publish(clientB1, 10)
	r := l.request(clientA1, bob, clubhouse, nil)
	for range 2 {
		l.step(ClaimKeyMaterial{"a.example", r}) // the draft has nothing against a replay
		l.now = l.now.Add(10 * time.Minute)
	}
	_, err := l.f.Step(l.now, ClaimKeyMaterial{"a.example", r})
	var refusal *Refusal
	if !errors.As(err, &refusal) || refusal.Status != 429 || refusal.After != 40*time.Minute {
		t.Errorf("the third: %v, want a refusal with 429 for 40 minutes", err)
	}
	l.now = l.now.Add(40 * time.Minute)
	l.step(ClaimKeyMaterial{"a.example", r})
	if n := len(l.f.clients[clientB1].packages); n != 7 {
		t.Errorf("%d KeyPackages are left, want 7", n)
	}
}

func TestUnknownUsers(t *testing.T) {
	t.Parallel()
	nobody := uri("mimi://b.example/u/nobody")
	for _, hide := range []bool{false, true} {
		l := newLab(t, func(c *Config) { c.Hide = hide })
		l.step(RemoveUser{bella})
		want := map[ident.URI]string{nobody: "userUnknown", bella: "userDeleted"}
		for target, status := range want {
			if hide {
				status = "noConsent"
			}
			out := l.step(ClaimKeyMaterial{"a.example", l.request(clientA1, target, clubhouse, nil)})
			if got := statuses(out.Response.(*mimi.KeyMaterialResponse)); got != status {
				t.Errorf("hide %v: %v is %s, want %s", hide, target, got, status)
			}
		}
	}
}

func TestPublishRefused(t *testing.T) {
	t.Parallel()
	l := newLab(t, func(c *Config) { c.Limits.KeyPackages = 3 })
	good := l.keyPackage(clientB1, mls.LeafOptions{})
	forged := l.keyPackage(clientB1, mls.LeafOptions{})
	forged.Signature = slices.Clone(forged.Signature)
	forged.Signature[0] ^= 1
	l.refused(404, "no client", Publish{clientA1, nil})
	l.refused(400, "KeyPackage 2: its credential is of mimi://b.example/d/bob/ClientB2",
		Publish{clientB1, []message.KeyPackage{good, l.keyPackage(clientB2, mls.LeafOptions{})}})
	l.refused(400, "KeyPackage 1", Publish{clientB1, []message.KeyPackage{forged}})
	l.refused(409, "KeyPackage 2 was published before", Publish{clientB1, []message.KeyPackage{good, good}})
	l.refused(429, "4 KeyPackages", Publish{clientB1, []message.KeyPackage{good, good, good, good}})
	l.now = start.AddDate(1, 0, 0)
	l.refused(400, "KeyPackage 1", Publish{clientB1, []message.KeyPackage{good}}) // expired
}
