package dmadev

import "path/filepath"

// The directories of ciphertexts. That of a device's media is named after its user.
const (
	mediaName        = "gatekeeper-media"
	partnerMediaName = "partner-media"
)

// Media returns where the gatekeeper's media host has its ciphertexts.
func (d *Dir) Media() string { return filepath.Join(d.Path, mediaName) }

// PartnerMedia returns where the partner has its users'.
func (d *Dir) PartnerMedia() string { return filepath.Join(d.Path, partnerMediaName) }

// DeviceMedia returns where a device saves media, unless told otherwise.
func (d *Dir) DeviceMedia(name string) (string, error) {
	f, err := d.file(name)
	return f + ".media", err
}
