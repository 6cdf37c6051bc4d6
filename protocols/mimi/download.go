package mimi

import (
	"fmt"
	"net/url"
	"strings"
)

// DownloadURL checks the URL in a request to proxyDownload
// (draft-ietf-mimi-protocol-06, Download using a hub proxy) and returns the domain
// of its host, in lower case. It has no body: the URL is the variable in the path,
// percent-encoded, and the response is the asset.
//
// The hub must also know the host for an asset domain of one of its peers, so that
// it is no open proxy; the URL is https without user information or fragment, and
// its host is a name, so that no address of the hub's own network passes for one.
func DownloadURL(s string) (domain string, err error) {
	if len(s) > maxURL {
		return "", fmt.Errorf("mimi: download URL of %d bytes, want at most %d", len(s), maxURL)
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("mimi: download URL: %w", err)
	}
	if u.Scheme != "https" || u.User != nil || u.Fragment != "" || strings.Contains(s, "#") || u.Opaque != "" {
		return "", fmt.Errorf("mimi: download URL %q, want https without user information or fragment", clip(s))
	}
	return ParseHost(u.Host)
}
