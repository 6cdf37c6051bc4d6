package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/mimi-lab/mimi-lab/groups/follower"
	"github.com/mimi-lab/mimi-lab/protocols/bhttp"
	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/ohttp"
)

// gatewayPath is where a provider's Oblivious HTTP gateway is (RFC 9540, Section 4;
// deviation 41 of protocols/mimi).
const gatewayPath = "/.well-known/ohttp-gateway"

// gateway is the Oblivious HTTP gateway of the hub (draft-ietf-mimi-protocol-06,
// Download using Oblivious HTTP; RFC 9458).
type gateway struct {
	ohttp.Gateway
	config   *ohttp.KeyConfig
	document []byte // application/ohttp-keys
}

// serveGateway answers GET with the gateway's keys, which are for all, and POST of a
// peer, as the relay of its clients, with what the target says.
func (s *server) serveGateway(w http.ResponseWriter, r *http.Request) error {
	if r.Method == http.MethodGet {
		s.hurry(w, s.p.cfg.Limits.Timeout)
		w.Header().Set("Content-Type", ohttp.MediaTypeKeys)
		_, _ = w.Write(s.p.gateway.document)
		return nil
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		return refuse(http.StatusMethodNotAllowed, "method %s, want GET or POST", clip(r.Method))
	}
	from, err := s.peer(r)
	if err != nil {
		return err
	}
	done, err := s.admit(from)
	if err != nil {
		return err
	}
	defer done()
	if t := r.Header.Get("Content-Type"); !strings.EqualFold(t, ohttp.MediaTypeRequest) {
		return refuse(http.StatusUnsupportedMediaType, "content type %q, want %s", clip(t), ohttp.MediaTypeRequest)
	}
	body, release, err := s.body(w, r, from, gatewayName)
	if err != nil {
		return err
	}
	defer release()
	s.hurry(w, s.p.cfg.Limits.Download+s.p.cfg.Limits.Timeout)
	answer, err := s.p.open(r.Context(), from, body)
	if errors.Is(err, ohttp.ErrKey) {
		// RFC 9458, Section 5.3: the client is to fetch the keys anew.
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `{"type":"https://iana.org/assignments/http-problem-types#ohttp-key","title":"key identifier unknown"}`)
		return nil
	}
	if errors.Is(err, ohttp.ErrFormat) || errors.Is(err, ohttp.ErrOpen) {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	if err != nil {
		return err
	}
	s.hurry(w, s.p.cfg.Limits.Timeout)
	w.Header().Set("Content-Type", ohttp.MediaTypeResponse)
	w.Header().Set("Content-Length", strconv.Itoa(len(answer)))
	_, _ = w.Write(answer)
	return nil
}

// open decrypts a request, makes it, and encrypts the response. Whatever becomes of it
// is in there: the relay is not to know.
func (p *Provider) open(ctx context.Context, relay string, encapsulated []byte) ([]byte, error) {
	plain, reply, err := p.gateway.Open(encapsulated)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limits.Download)
	defer cancel()
	response := p.target(ctx, relay, plain)
	plain, err = response.Marshal()
	if err != nil {
		return nil, fmt.Errorf("serve: gateway: %w", err)
	}
	return reply.Seal(plain)
}

// target makes the request that was encrypted: "The hub MUST only accept OHTTP requests
// to Targets which are configured as asset storage locations for one of its peer
// providers". Fields of the request are not passed on.
func (p *Provider) target(ctx context.Context, relay string, plain []byte) *bhttp.Response {
	r, err := bhttp.ParseRequest(plain)
	if err != nil {
		return answerText(http.StatusBadRequest, "malformed request")
	}
	if r.Method != http.MethodGet || len(r.Content) > 0 {
		return answerText(http.StatusMethodNotAllowed, "want GET without content")
	}
	authority := r.Authority
	if hosts := bhttp.Values(r.Header, "host"); authority == "" && len(hosts) == 1 {
		authority = hosts[0]
	}
	resp, err := p.asset(ctx, relay, r.Scheme+"://"+authority+r.Path)
	var refused *follower.Refusal
	if errors.As(refusal(err), &refused) {
		return answerText(refused.Status, refused.Reason)
	}
	if err != nil {
		return answerText(http.StatusBadGateway, "the asset can't be fetched")
	}
	defer func() { _ = resp.Body.Close() }()
	asset, err := readBody(resp, min(p.cfg.Limits.Asset, p.cfg.Limits.Body))
	if err != nil {
		return answerText(http.StatusBadGateway, "the asset does not arrive, or is too long")
	}
	return &bhttp.Response{Status: http.StatusOK, Header: []bhttp.Field{{Name: "content-type", Value: mimi.MediaType}}, Content: asset}
}

func answerText(status int, text string) *bhttp.Response {
	return &bhttp.Response{Status: status, Header: []bhttp.Field{{Name: "content-type", Value: "text/plain"}}, Content: []byte(text)}
}

// GatewayKeys fetches the keys of a hub's Oblivious HTTP gateway, as
// application/ohttp-keys.
func (c *Client) GatewayKeys(ctx context.Context, hubDomain string) ([]byte, error) {
	if hubDomain == c.p.cfg.Domain {
		return c.p.gateway.document, nil
	}
	done, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	return c.p.relay(ctx, hubDomain, http.MethodGet, ohttp.MediaTypeKeys, nil)
}

// Oblivious passes an encapsulated request on to a hub's gateway, as a relay does (RFC
// 9458, Section 6.2): the gateway sees this provider and not the client, and this
// provider sees neither the request nor the response.
func (c *Client) Oblivious(ctx context.Context, hubDomain string, encapsulated []byte) ([]byte, error) {
	done, err := c.begin()
	if err != nil {
		return nil, err
	}
	defer done()
	if hubDomain == c.p.cfg.Domain {
		answer, err := c.p.open(ctx, hubDomain, encapsulated)
		return answer, refusal(err)
	}
	return c.p.relay(ctx, hubDomain, http.MethodPost, ohttp.MediaTypeResponse, encapsulated)
}

// relay makes a request to a peer's gateway and wants an answer of a media type.
func (p *Provider) relay(ctx context.Context, to, method, want string, body []byte) ([]byte, error) {
	peer, err := p.peers.get(to)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.cfg.Limits.Download)
	defer cancel()
	resp, err := p.roundTrip(ctx, peer, method, "https://"+peer.domain+gatewayPath, ohttp.MediaTypeRequest, body, nil)
	if err != nil {
		return nil, err
	}
	defer closeBody(resp)
	if resp.StatusCode != http.StatusOK {
		return nil, failure(resp)
	}
	if t := resp.Header.Get("Content-Type"); !strings.EqualFold(t, want) {
		return nil, fmt.Errorf("serve: gateway of %s: content type %q, want %s", to, clip(t), want)
	}
	return readBody(resp, p.cfg.Limits.Body+1024)
}
