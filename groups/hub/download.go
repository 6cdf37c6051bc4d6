package hub

import (
	"net/url"
	"slices"
	"strings"
)

// proxyDownload decides whether an asset may be fetched for a peer: "The hub MUST
// verify that the host part of the downloadUrl is associated with the asset server
// domain for one of its peer providers" (draft-ietf-mimi-protocol-06, Download using
// a hub proxy).
func (h *Hub) proxyDownload(in ProxyDownload) error {
	if _, peer := h.cfg.AssetDomains[in.From]; !peer && in.From != h.cfg.Domain {
		return fail(Forbidden, "download for %s, which is no peer", in.From)
	}
	if len(in.URL) > maxURL {
		return fail(TooLarge, "download from a URL of %d bytes, want at most %d", len(in.URL), maxURL)
	}
	u, err := url.Parse(in.URL)
	if err != nil {
		return fail(Malformed, "download: %w", err)
	}
	// A MIMI content's download URI is an https URL. Another port or a user would
	// reach services of the host that hold no assets.
	if u.Scheme != "https" || u.User != nil || u.Opaque != "" || u.Port() != "" && u.Port() != "443" {
		return fail(Forbidden, "download from %q, want an https URL without user and port", in.URL)
	}
	host := strings.ToLower(u.Hostname())
	for _, hosts := range h.cfg.AssetDomains {
		if slices.ContainsFunc(hosts, func(s string) bool { return strings.EqualFold(s, host) }) {
			return nil
		}
	}
	return fail(Forbidden, "download from host %q, which holds no assets of a peer", host)
}

// maxURL bounds a URL to download; a choice of this implementation.
const maxURL = 8 << 10
