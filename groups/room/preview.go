package room

import "github.com/mimi-lab/mimi-lab/protocols/wire"

// LinkPreviewPolicy is the data of the link_preview_policy component, and what an
// update of it holds (room-policy-04, Link Preview policy component):
//
//	struct {
//	    Optionality autodetect_hyperlinks_in_text; // never required
//	    Optionality send_link_previews;
//	    Optionality automatic_link_previews;
//	    Optionality link_preview_proxy_use;
//	    select (link_preview_proxy_use) {
//	        case required, optional: Uri link_preview_proxy<V>; // the draft: mandatory
//	        case forbidden:          struct {};
//	    };
//	} LinkPreviewPolicy;
type LinkPreviewPolicy struct {
	AutodetectHyperlinks  Optionality `json:"autodetect_hyperlinks_in_text"`
	SendLinkPreviews      Optionality `json:"send_link_previews"`
	AutomaticLinkPreviews Optionality `json:"automatic_link_previews"`
	ProxyUse              Optionality `json:"link_preview_proxy_use"`
	Proxies               []string    `json:"link_preview_proxy,omitempty"` // none if use is forbidden, else at least one
}

func (p *LinkPreviewPolicy) UnmarshalTLS(r *wire.Reader) {
	p.AutodetectHyperlinks = readOptionality(r)
	p.SendLinkPreviews = readOptionality(r)
	p.AutomaticLinkPreviews = readOptionality(r)
	p.ProxyUse = readOptionality(r)
	if p.Proxies = nil; p.ProxyUse != Forbidden {
		p.Proxies = readURIs(r)
	}
	readCheck(r, p)
}

func (p *LinkPreviewPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeOptionality(w, p.AutodetectHyperlinks)
	writeOptionality(w, p.SendLinkPreviews)
	writeOptionality(w, p.AutomaticLinkPreviews)
	writeOptionality(w, p.ProxyUse)
	if p.ProxyUse != Forbidden {
		writeURIs(w, p.Proxies)
	}
}

func (p *LinkPreviewPolicy) check() error {
	if p.AutodetectHyperlinks == Required {
		return invalid("autodetect_hyperlinks_in_text is required, want optional or forbidden")
	}
	if (p.ProxyUse == Forbidden) != (len(p.Proxies) == 0) {
		return invalid("link_preview_proxy_use is %v with %d proxies", p.ProxyUse, len(p.Proxies))
	}
	return nil
}
