// Package scenario reads the files that say what the simulator simulates: who
// is there, what they do, what the network does to them and what is checked.
//
// A scenario is one YAML document (YAML 1.2, https://yaml.org/spec/1.2.2/). The
// Go types of this package are the format: [Scenario] and what it is made of, a
// key being the field's yaml tag. The published JSON schema ([Schema]) is
// generated from them.
//
// Start with [Open] for a scenario of the library or [Load] for bytes, and run
// every [Point] of the [File] that comes back.
//
// # Rules
//
//   - Strict: an unknown key, a wrong type or unit, a value out of range is an
//     [Error] that says where it stands, what was found and what was expected.
//   - Nothing hides: a key that may be left out means "none" when it is left out.
//     There are no other defaults.
//   - Nothing is uncited: every number that makes a claim about the world is
//     covered by an entry of the section basis, which names its source or says
//     that it is assumed and why. See [File.Basis].
//   - Numbers carry units: [Duration], [Bytes], [Rate], [Share].
//   - Where a scalar stands, "${5,10,20}" may stand: a sweep. Each sweep is an
//     axis, and the points are their cartesian product. Inside a flow mapping
//     ({...}) YAML wants it in quotes.
//   - A study is a part of the scenario with values and sweeps of its own.
//   - Overrides ("partners.wren.users=5") replace values before anything is
//     decoded. A path names an element of a list by its name or index. "*" is all
//     elements of a list, or all mappings in a mapping; that of a list may be left
//     out, as in "partners.count=5".
//
// Anchors, aliases, merge keys and tags of YAML are not part of the format, so
// a file's size bounds the work it causes.
//
// The package does not run anything and opens no files.
package scenario

import "time"

// Format is the version of the format that this package reads.
const Format = 1

// Scenario is one world to simulate: a scenario file without its studies and
// its basis, every sweep replaced by one value.
type Scenario struct {
	// Version of the format: 1.
	Format int `yaml:"scenario" min:"1" max:"1" basis:"-"`
	// Name of the scenario, as the command line and results call it.
	Name string `yaml:"name" pattern:"name"`
	// One line that says what is simulated.
	Title string `yaml:"title"`
	// The question that a run answers.
	Question string `yaml:"question,optional"`
	// Name of the end-to-end protocol adapter.
	Adapter string `yaml:"adapter" pattern:"name"`
	// Wall-clock time at which virtual time starts, in RFC 3339 form.
	Start time.Time `yaml:"start"`
	// Virtual time that passes before anything is measured.
	Warmup Duration `yaml:"warmup,optional" max:"400d" basis:"-"`
	// Virtual time that is measured, after the warm-up.
	Duration Duration `yaml:"duration" min:"1ms" max:"400d" basis:"-"`
	// Virtual time after the measured span in which nothing new is sent, nothing
	// breaks any more and what is under way may arrive.
	Cooldown Duration `yaml:"cooldown,optional" max:"400d" basis:"-"`
	// Root of every random stream; replication i runs with seed + i.
	Seed uint64 `yaml:"seed,optional" basis:"-"`
	// Number of independent runs per point.
	Replications int `yaml:"replications" min:"1" max:"10000" basis:"-"`
	// The gatekeeper services.
	Gatekeepers []Gatekeeper `yaml:"gatekeepers"`
	// The partner providers.
	Partners []Partner `yaml:"partners"`
	// What all users' devices are like.
	Devices Devices `yaml:"devices"`
	// Who writes to whom, how often and what.
	Workload Workload `yaml:"workload"`
	// The network.
	Links Links `yaml:"links"`
	// What breaks; without it nothing does.
	Faults Faults `yaml:"faults,optional"`
	// Invariants to check during the run.
	Checks []Check `yaml:"checks,optional" enum:"durability|duplicates|order|confidentiality|consent"`
}

// Gatekeeper is one gatekeeper's service with its native users.
type Gatekeeper struct {
	// Name of the service, unique among gatekeepers and partners.
	Name string `yaml:"name" pattern:"name"`
	// Number of native users, each with one device.
	Users int `yaml:"users" min:"1" max:"10000000" basis:"-"`
	// Share of the native users that are eligible: located in the EEA.
	EEAShare Share `yaml:"eea_share"`
	// How third parties may reach native users.
	Reachability Reachability `yaml:"reachability"`
	// How native users see third-party chats.
	Inbox Inbox `yaml:"inbox,optional"`
	// The store of ciphertext for recipients that are offline.
	Mailbox Mailbox `yaml:"mailbox"`
	// Time after which an unacknowledged message is sent again to a recipient
	// that is connected; none means never within a connection.
	ResendAfter Duration `yaml:"resend_after,optional"`
}

// Default says who is reachable when nobody has decided anything.
type Default string

// The defaults that public sources contradict each other about.
const (
	OptIn           Default = "opt_in"            // nobody, until the user switches third-party chats on
	PingThenConsent Default = "ping_then_consent" // nobody, but a partner's user may ask once
	DefaultOn       Default = "default_on"        // everybody eligible, until the user switches it off
)

// Reachability says how a native user comes to accept third-party chats.
type Reachability struct {
	// Who is reachable before any decision.
	Default Default `yaml:"default" enum:"opt_in|ping_then_consent|default_on"`
	// Share of the eligible native users who switch third-party chats on by
	// themselves before the run (opt_in, ping_then_consent).
	OptInRate Share `yaml:"opt_in_rate,optional"`
	// Share of the eligible native users who switched them off (default_on).
	OptOutRate Share `yaml:"opt_out_rate,optional"`
	// Share of the partner apps that a user who switched third-party chats on
	// allows: the choice is per app.
	AppRate Share `yaml:"app_rate"`
	// Probability that a pinged user consents (ping_then_consent).
	PingConsentRate Share `yaml:"ping_consent_rate,optional"`
	// Number of pings that one partner user may send a day; none means no limit.
	PingLimitPerDay int `yaml:"ping_limit_per_day,optional" min:"0" max:"1000000"`
	// Time from a ping's arrival to the decision.
	ConsentDelay Dist[Duration] `yaml:"consent_delay,optional"`
}

// Inbox says how native users see third-party chats.
type Inbox struct {
	// Share of the users who chose one combined inbox; the others' is separate.
	CombinedShare Share `yaml:"combined_share"`
}

// Mailbox is a gatekeeper's store for offline recipients.
type Mailbox struct {
	// Time after which an undelivered message is deleted.
	Retention Duration `yaml:"retention" min:"1s" max:"400d"`
	// Number of unacknowledged messages under way per conversation and
	// recipient; 0 means unlimited.
	Window int `yaml:"window,optional" min:"0" max:"1000000"`
}

// Route is the way from a partner's devices to the gatekeeper.
type Route string

// The two routes of the reference offer.
const (
	Direct  Route = "direct"  // the device connects to the gatekeeper
	Proxied Route = "proxied" // the partner's proxy stands between them
)

// Partner is one third-party provider with its users.
type Partner struct {
	// Name of the provider, unique among gatekeepers and partners. With a count
	// it is a prefix: birdy becomes birdy-1, birdy-2 and so on.
	Name string `yaml:"name" pattern:"name"`
	// Number of partners like this one. A [Scenario] has them expanded, so it is
	// 0 there.
	Count int `yaml:"count,optional" min:"1" max:"1000" basis:"-"`
	// Number of users of each, each with one device.
	Users int `yaml:"users" min:"1" max:"10000000" basis:"-"`
	// Share of the users that are located in the EEA.
	EEAShare Share `yaml:"eea_share"`
	// Way from the devices to the gatekeeper.
	Route Route `yaml:"route" enum:"direct|proxied"`
	// The gatekeepers it has signed with.
	Agreements []Agreement `yaml:"agreements"`
	// Whether it wakes offline devices by push notifications.
	Push bool `yaml:"push,optional"`
}

// Agreement is one partner's agreement with one gatekeeper.
type Agreement struct {
	// Name of the gatekeeper.
	Gatekeeper string `yaml:"gatekeeper" pattern:"name"`
	// Virtual time since the start at which the gatekeeper ends it; none means
	// that it lasts.
	RevokedAt Duration `yaml:"revoked_at,optional"`
}

// Devices says what all devices are like.
type Devices struct {
	// The Signal prekeys that a device keeps at its server.
	Prekeys Prekeys `yaml:"prekeys"`
	// Length of a device's online periods.
	Online Dist[Duration] `yaml:"online,optional"`
	// Length of the offline periods between them; none means always online.
	Offline Dist[Duration] `yaml:"offline,optional"`
	// Backoff of a device whose connection broke.
	Reconnect Backoff `yaml:"reconnect"`
	// Time after which an unacknowledged stanza is sent again; none means only
	// after a reconnect.
	ResendAfter Duration `yaml:"resend_after,optional"`
}

// Prekeys is a device's supply of prekeys.
type Prekeys struct {
	// Number of one-time prekeys uploaded at a time.
	Batch int `yaml:"batch" min:"1" max:"1000"`
	// Number of prekeys left at the server below which a batch is uploaded.
	RefillBelow int `yaml:"refill_below" min:"0" max:"1000"`
	// Time between rotations of the signed prekey.
	SignedRotation Duration `yaml:"signed_rotation" min:"1m"`
}

// Backoff is an exponential backoff with full jitter between two bounds.
type Backoff struct {
	// First delay.
	Min Duration `yaml:"min" min:"1ms"`
	// Longest delay.
	Max Duration `yaml:"max" min:"1ms"`
}

// Workload says who writes to whom, how often and what.
type Workload struct {
	// The contact graph between partner users and native users.
	Contacts Contacts `yaml:"contacts"`
	// Mean number of messages that a user with a reachable contact sends a day;
	// reactions, receipts and typing come on top. 0 sends nothing: only consent
	// is simulated.
	MessagesPerUserPerDay float64 `yaml:"messages_per_user_per_day" min:"0" max:"100000"`
	// How unevenly users write.
	Activity Activity `yaml:"activity"`
	// What they write. The shares sum to 1.
	Kinds Kinds `yaml:"kinds"`
	// Share of the messages that quote an earlier one.
	ReplyShare Share `yaml:"reply_share,optional"`
	// Probability that the recipient reacts to a message.
	ReactionShare Share `yaml:"reaction_share,optional"`
	// Probability that the recipient tells that a message was read.
	ReadReceiptShare Share `yaml:"read_receipt_share,optional"`
	// Time from delivery to reading.
	ReadDelay Dist[Duration] `yaml:"read_delay,optional"`
	// Probability that typing is shown to the recipient before a message.
	TypingShare Share `yaml:"typing_share,optional"`
}

// Contacts is the contact graph: bipartite, between partner and native users.
type Contacts struct {
	// Number of native users that each partner user knows at each gatekeeper
	// with which its provider has an agreement.
	NativePerPartnerUser int `yaml:"native_per_partner_user" min:"1" max:"100000"`
	// How unevenly native users are known. It weighs who is drawn as a contact.
	Popularity Activity `yaml:"popularity,optional"`
}

// Shape is how unevenly something is spread over users.
type Shape string

// The shapes.
const (
	Uniform Shape = "uniform" // everyone alike
	Zipf    Shape = "zipf"    // the user of rank r with weight r^-exponent
)

// Activity weighs users by rank. The zero value is uniform.
type Activity struct {
	// Name of the shape.
	Dist Shape `yaml:"dist" enum:"uniform|zipf"`
	// The exponent of zipf.
	Exponent float64 `yaml:"exponent,optional" min:"0" max:"5"`
}

// Kinds are the kinds of messages that DMA Article 7(2)(a) asks for.
type Kinds struct {
	// Text messages.
	Text Kind `yaml:"text,optional"`
	// Images.
	Image Kind `yaml:"image,optional"`
	// Voice messages.
	Voice Kind `yaml:"voice,optional"`
	// Videos.
	Video Kind `yaml:"video,optional"`
	// Other attached files.
	File Kind `yaml:"file,optional"`
}

// Kind is one kind of message.
type Kind struct {
	// Share of the messages.
	Share Share `yaml:"share"`
	// Size of the text or of the media file.
	Size Dist[Bytes] `yaml:"size"`
	// Size of the preview picture that travels within the message.
	Thumbnail Dist[Bytes] `yaml:"thumbnail,optional"`
	// Text under a media file.
	Caption Caption `yaml:"caption,optional"`
}

// Caption is the text under a media file.
type Caption struct {
	// Share of the files that have one.
	Share Share `yaml:"share"`
	// Size of it.
	Size Dist[Bytes] `yaml:"size"`
}

// NamedKind is a kind with its name.
type NamedKind struct {
	Name string
	Kind
}

// All returns the five kinds in the order text, image, voice, video, file.
func (k Kinds) All() []NamedKind {
	return []NamedKind{{"text", k.Text}, {"image", k.Image}, {"voice", k.Voice}, {"video", k.Video}, {"file", k.File}}
}

// Mode is what a link does with loss.
type Mode string

// The modes of links.
const (
	Stream   Mode = "stream"   // like TCP: in order and once within a connection; loss costs time
	Datagram Mode = "datagram" // loss, duplication and reordering show
)

// Links is the network: one class of link for each pair of roles.
type Links struct {
	// What all links do with loss.
	Mode Mode `yaml:"mode" enum:"stream|datagram"`
	// Device of a native user, or of a partner with a direct route, to the
	// gatekeeper.
	DeviceGatekeeper Link `yaml:"device_gatekeeper"`
	// Partner device to its proxy.
	DeviceProxy Link `yaml:"device_proxy,optional"`
	// Proxy to gatekeeper.
	ProxyGatekeeper Link `yaml:"proxy_gatekeeper,optional"`
	// Gatekeeper to partner server: keys, push, media.
	GatekeeperPartner Link `yaml:"gatekeeper_partner"`
	// Partner device to partner server: tokens, push, media.
	DevicePartner Link `yaml:"device_partner"`
}

// Link is one class of link, the same in both directions.
type Link struct {
	// One-way delay of a packet.
	Delay Dist[Duration] `yaml:"delay"`
	// Probability that a packet is lost.
	Loss Share `yaml:"loss,optional" max:"0.99"`
	// Probability that a packet arrives twice.
	Duplicate Share `yaml:"duplicate,optional"`
	// Probability that a packet is held back by the reorder delay.
	Reorder Share `yaml:"reorder,optional"`
	// How much later a reordered packet arrives.
	ReorderDelay Dist[Duration] `yaml:"reorder_delay,optional"`
	// Bits per second; none means unlimited.
	Bandwidth Rate `yaml:"bandwidth,optional"`
}

// LinkClass is the name of a class of link: a key of [Links].
type LinkClass string

// The classes of links.
const (
	DeviceGatekeeper  LinkClass = "device_gatekeeper"
	DeviceProxy       LinkClass = "device_proxy"
	ProxyGatekeeper   LinkClass = "proxy_gatekeeper"
	GatekeeperPartner LinkClass = "gatekeeper_partner"
	DevicePartner     LinkClass = "device_partner"
)

// Faults is what breaks.
type Faults struct {
	// Links that are cut for a while.
	Partitions Partitions `yaml:"partitions,optional"`
	// Nodes that stop, lose what they had not persisted, and start again.
	Crashes Crashes `yaml:"crashes,optional"`
}

// Partitions cuts links: each time, one link drawn from the classes named, in
// both directions.
type Partitions struct {
	// Time from one cut to the next.
	Every Dist[Duration] `yaml:"every"`
	// Length of a cut.
	For Dist[Duration] `yaml:"for"`
	// Classes of links that are cut.
	Of []LinkClass `yaml:"of" enum:"device_gatekeeper|device_proxy|proxy_gatekeeper|gatekeeper_partner|device_partner"`
}

// Crashes says how often each node of a role crashes.
type Crashes struct {
	// Each user's device.
	Device Crash `yaml:"device,optional"`
	// Each partner's proxy.
	Proxy Crash `yaml:"proxy,optional"`
	// Each gatekeeper.
	Gatekeeper Crash `yaml:"gatekeeper,optional"`
	// Each partner's server.
	Partner Crash `yaml:"partner,optional"`
}

// Crash is how often a node crashes and for how long.
type Crash struct {
	// Time from a restart to the next crash; none means never.
	Every Dist[Duration] `yaml:"every"`
	// Time from a crash to the restart.
	Down Dist[Duration] `yaml:"down"`
}

// Check is the name of an invariant.
type Check string

// The invariants.
const (
	Durability      Check = "durability"      // nothing that was accepted is lost
	Duplicates      Check = "duplicates"      // nothing is shown to a user twice
	Order           Check = "order"           // each sender's messages are shown in order within a conversation
	Confidentiality Check = "confidentiality" // nothing is readable outside of its two endpoints
	Consent         Check = "consent"         // nobody is reached without consent
)

// Span returns the whole virtual time of a run: warm-up, measured span and
// cool-down.
func (s *Scenario) Span() time.Duration {
	return time.Duration(s.Warmup + s.Duration + s.Cooldown)
}
