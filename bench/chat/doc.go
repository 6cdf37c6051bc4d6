// Package chat measures what a gatekeeper's chat channel takes: messages from one user to
// another, by thousands of connected devices, in the stanzas of package stanza over Noise
// (https://noiseprotocol.org/noise.html), as in the technical specification of WhatsApp's
// Reference Offer 1.0.3.
//
//	a partner's users ── message ─▶ gatekeeper ── message ─▶ native users
//	       ▲   ▲   │                 │   ▲   │                 │   ▲
//	       │   └───┼────── ack ──────┘   │   └────── ack ──────┼───┘
//	       │       └─────── ack ─────────┤◀───── receipt ──────┘
//	       └─────────── receipt ─────────┘
//
//	the same devices ── a frame of that size ─▶ echo ── the same frame ─▶
//
// The gatekeeper is that of protocols/dma/serve, with its enlistment, its machine and its
// store; each message is acknowledged to its sender, delivered, confirmed by a receipt,
// and that is delivered and acknowledged too: seven frames. The echo reads a frame and
// writes it back, on the same stack with the same Noise code: two frames. It has as many
// connections, and as many frames under way as the gatekeeper has messages. The two take
// turns, so that both meet whatever else the machine does. All parts run in one process
// and share its cores, so that the gatekeeper alone would take more than is measured;
// what is to be compared between machines is the ratio of the two.
//
// Devices write at once what they have to say to all that has come at once, to gatekeeper
// and echo alike. The echo answers each frame by itself.
//
// A run fails unless every message was acknowledged, delivered and confirmed once, in the
// order in which it was sent and with its content, and the gatekeeper counts the same.
package chat
