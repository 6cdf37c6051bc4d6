package partner

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Client is a user's device at its partner's server. Its methods may be called by several
// goroutines at once.
type Client struct {
	Base  string         // the server's URL
	Roots *x509.CertPool // who signs its certificate; nil means the system's
	// Dial makes connections in place of the network; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// User is the user-visible identifier, and Credential what Join has returned.
	User, Credential string
}

// ErrRefused: the server does not take the credential or the invitation.
var ErrRefused = errors.New("partner: refused")

// Join makes the user known to the server, and keeps the credential.
func (c *Client) Join(ctx context.Context, invitation string) error {
	body, err := json.Marshal(JoinRequest{c.User})
	if err != nil {
		return fmt.Errorf("partner: %w", err)
	}
	var j Joined
	if _, err := c.do(ctx, http.MethodPost, JoinPath, body, "Bearer "+invitation, &j); err != nil {
		return err
	}
	c.Credential = j.Credential
	return nil
}

// Token returns a token that is good now.
func (c *Client) Token(ctx context.Context) (string, error) {
	var i Issued
	_, err := c.do(ctx, http.MethodPost, TokenPath, nil, "", &i)
	return i.Token, err
}

// Wait waits until something waits for the user at the gatekeeper, as far as the server was
// told.
func (c *Client) Wait(ctx context.Context) error {
	for {
		status, err := c.do(ctx, http.MethodGet, WaitPath, nil, "", nil)
		if err != nil || status == http.StatusOK {
			return err
		}
	}
}

// maxAnswer bounds an answer in bytes.
const maxAnswer = 16 << 10

// do makes a request, with the user's credential unless it has other authorization.
func (c *Client) do(ctx context.Context, method, path string, body []byte, authorization string, to any) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, waitFor+10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("partner: %w", err)
	}
	if authorization == "" {
		req.SetBasicAuth(c.User, c.Credential)
	} else {
		req.Header.Set("Authorization", authorization)
	}
	dial := c.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: c.Roots}, DialContext: dial,
		ForceAttemptHTTP2: true, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
	}
	resp, err := (&http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return 0, fmt.Errorf("partner: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return resp.StatusCode, ErrRefused
	case resp.StatusCode == http.StatusNoContent:
		return resp.StatusCode, nil
	case resp.StatusCode != http.StatusOK:
		return resp.StatusCode, fmt.Errorf("partner: %s: status %d, want 200", path, resp.StatusCode)
	case to == nil:
		return resp.StatusCode, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		return resp.StatusCode, fmt.Errorf("partner: %s: %w", path, err)
	}
	return resp.StatusCode, nil
}
