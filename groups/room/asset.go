package room

import (
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/wire"
)

// AssetUploadLocation says where clients upload assets (room-policy-04, Asset
// policies component).
type AssetUploadLocation uint8

// The values of AssetUploadLocation.
const (
	UploadUnspecified   AssetUploadLocation = 0
	UploadLocalProvider AssetUploadLocation = 1
	UploadHub           AssetUploadLocation = 2
)

var uploadLocations = enum{"unspecified", "localProvider", "hub"}

// String returns the specification's name, or the number.
func (l AssetUploadLocation) String() string { return uploadLocations.name(uint8(l)) }

// MarshalText writes the name.
func (l AssetUploadLocation) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// DownloadPrivacyType is a way to download assets (mimi-protocol-06, Download
// Files).
type DownloadPrivacyType uint8

// The values of DownloadPrivacyType.
const (
	DownloadDirect   DownloadPrivacyType = 0
	DownloadHubProxy DownloadPrivacyType = 1
	DownloadOHTTP    DownloadPrivacyType = 2
)

var downloadTypes = enum{"direct", "hubProxy", "ohttp"}

// String returns the specification's name, or the number.
func (t DownloadPrivacyType) String() string { return downloadTypes.name(uint8(t)) }

// MarshalText writes the name.
func (t DownloadPrivacyType) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// ProviderAssetUploadDomains are the hosts that a provider's users upload to:
//
//	struct { opaque domain<V>; } DomainName;
//
//	struct {
//	    DomainName provider;
//	    DomainName asset_upload_destinations<V>;
//	} ProviderAssetUploadDomains;
type ProviderAssetUploadDomains struct {
	Provider     string   `json:"provider"`
	Destinations []string `json:"asset_upload_destinations"`
}

func (d *ProviderAssetUploadDomains) UnmarshalTLS(r *wire.Reader) {
	d.Provider = readText(r)
	d.Destinations = nil
	r.Vector(func() { d.Destinations = append(d.Destinations, readText(r)) })
}

func (d *ProviderAssetUploadDomains) MarshalTLS(w *wire.Writer) {
	writeText(w, d.Provider)
	w.Vector(func() {
		for _, s := range d.Destinations {
			writeText(w, s)
		}
	})
}

// DownloadPrivacy says which ways of downloading are acceptable:
//
//	struct {
//	    DownloadPrivacyType allowed_download_types<V>;
//	    DownloadPrivacyType forbidden_download_types<V>;
//	    DownloadPrivacyType default_download_type;
//	} DownloadPrivacy;
type DownloadPrivacy struct {
	Allowed   []DownloadPrivacyType `json:"allowed_download_types"`
	Forbidden []DownloadPrivacyType `json:"forbidden_download_types"`
	Default   DownloadPrivacyType   `json:"default_download_type"`
}

func (p *DownloadPrivacy) UnmarshalTLS(r *wire.Reader) {
	p.Allowed = readDownloadTypes(r)
	p.Forbidden = readDownloadTypes(r)
	p.Default = readEnum[DownloadPrivacyType](r, downloadTypes, "DownloadPrivacyType")
}

func (p *DownloadPrivacy) MarshalTLS(w *wire.Writer) {
	writeDownloadTypes(w, p.Allowed)
	writeDownloadTypes(w, p.Forbidden)
	writeEnum(w, downloadTypes, "DownloadPrivacyType", p.Default)
}

func readDownloadTypes(r *wire.Reader) (v []DownloadPrivacyType) {
	r.Vector(func() { v = append(v, readEnum[DownloadPrivacyType](r, downloadTypes, "DownloadPrivacyType")) })
	return v
}

func writeDownloadTypes(w *wire.Writer, v []DownloadPrivacyType) {
	w.Vector(func() {
		for _, t := range v {
			writeEnum(w, downloadTypes, "DownloadPrivacyType", t)
		}
	})
}

// AssetPolicy is the data of the asset_policy component, and what an update of it
// holds:
//
//	struct {
//	    AssetUploadLocation asset_upload_location;
//	    ProviderAssetUploadDomains upload_domains<V>;
//	    DownloadPrivacy download_privacy;
//	    uint64 max_image;
//	    uint64 max_audio;
//	    uint64 max_video;
//	    uint64 max_attachment;
//	    MediaType forbidden_media_types<V>;
//	    optional<MediaType permitted_media_types<V>>; // the draft: optional<MediaType> x<V>
//	} AssetPolicy;
type AssetPolicy struct {
	UploadLocation      AssetUploadLocation          `json:"asset_upload_location"`
	UploadDomains       []ProviderAssetUploadDomains `json:"upload_domains"`
	DownloadPrivacy     DownloadPrivacy              `json:"download_privacy"`
	MaxImage            uint64                       `json:"max_image"` // bytes, as the three that follow
	MaxAudio            uint64                       `json:"max_audio"`
	MaxVideo            uint64                       `json:"max_video"`
	MaxAttachment       uint64                       `json:"max_attachment"`
	ForbiddenMediaTypes []message.MediaType          `json:"forbidden_media_types"`
	// PermittedMediaTypes count if RestrictsMediaTypes is set; then what is not
	// among them is not permitted.
	PermittedMediaTypes []message.MediaType `json:"permitted_media_types"`
	RestrictsMediaTypes bool                `json:"restricts_media_types"`
}

func (p *AssetPolicy) UnmarshalTLS(r *wire.Reader) {
	p.UploadLocation = readEnum[AssetUploadLocation](r, uploadLocations, "AssetUploadLocation")
	p.UploadDomains = wire.List[ProviderAssetUploadDomains](r)
	p.DownloadPrivacy.UnmarshalTLS(r)
	p.MaxImage = r.Uint64()
	p.MaxAudio = r.Uint64()
	p.MaxVideo = r.Uint64()
	p.MaxAttachment = r.Uint64()
	p.ForbiddenMediaTypes = wire.List[message.MediaType](r)
	p.PermittedMediaTypes = nil
	p.RestrictsMediaTypes = r.Optional(func() { p.PermittedMediaTypes = wire.List[message.MediaType](r) })
	readCheck(r, p)
}

func (p *AssetPolicy) MarshalTLS(w *wire.Writer) {
	writeCheck(w, p)
	writeEnum(w, uploadLocations, "AssetUploadLocation", p.UploadLocation)
	wire.PutList(w, p.UploadDomains)
	p.DownloadPrivacy.MarshalTLS(w)
	w.Uint64(p.MaxImage)
	w.Uint64(p.MaxAudio)
	w.Uint64(p.MaxVideo)
	w.Uint64(p.MaxAttachment)
	wire.PutList(w, p.ForbiddenMediaTypes)
	w.Optional(p.RestrictsMediaTypes, func() { wire.PutList(w, p.PermittedMediaTypes) })
}

// check wants one provider if all upload to the hub.
func (p *AssetPolicy) check() error {
	if p.UploadLocation == UploadHub && len(p.UploadDomains) != 1 {
		return invalid("assets go to the hub and %d providers have upload domains, want 1", len(p.UploadDomains))
	}
	if !p.RestrictsMediaTypes && len(p.PermittedMediaTypes) > 0 {
		return invalid("%d permitted media types in a policy that does not restrict them", len(p.PermittedMediaTypes))
	}
	return nil
}
