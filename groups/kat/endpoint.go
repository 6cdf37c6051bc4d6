package kat

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/mimi-lab/mimi-lab/protocols/mimi"
	"github.com/mimi-lab/mimi-lab/protocols/mls"
	"github.com/mimi-lab/mimi-lab/protocols/mls/labeled"
	"github.com/mimi-lab/mimi-lab/protocols/mls/message"
	"github.com/mimi-lab/mimi-lab/protocols/suite"
)

// encryptionCase is one of group-info-encryption.json.
type encryptionCase struct {
	head
	Suite      suite.ID        `json:"cipher_suite"`
	Private    octets          `json:"group_info_priv"`
	Public     octets          `json:"group_info_public_key"`
	Label      string          `json:"label"`
	RoomID     string          `json:"room_id"`
	Response   octets          `json:"response"`
	KEMOutput  octets          `json:"kem_output"`
	Ciphertext octets          `json:"ciphertext"`
	Opens      bool            `json:"opens"`
	Plaintext  octets          `json:"plaintext"`
	Failure    string          `json:"failure"`
	Fields     json.RawMessage `json:"fields"`
}

func checkEncryption(c *checker, v *encryptionCase) {
	s, ok := c.withSuite(v.Suite)
	if !ok {
		return
	}
	c.keyPair("group_info_priv", v.Private, v.Public, s.PublicKey)
	same(c, "label", mimi.LabelGroupInfoAndTree, v.Label)
	m, err := mimi.ParseGroupInfoResponse(v.Response)
	if !c.ok("response", err) {
		return
	}
	c.equal("kem_output", m.EncryptedGroupInfoAndTree.KEMOutput, v.KEMOutput)
	c.equal("ciphertext", m.EncryptedGroupInfoAndTree.Ciphertext, v.Ciphertext)
	same(c, "cipher_suite", m.CipherSuite, v.Suite)
	c.ok("response (signature)", m.Verify(s))
	plaintext, err := labeled.Decrypt(s, suite.PrivateKey(v.Private), v.Label, []byte(v.RoomID), v.KEMOutput, v.Ciphertext)
	if !same(c, "opens", err == nil, v.Opens) || err != nil {
		same(c, "plaintext of what does not open (bytes)", len(v.Plaintext), 0)
		same(c, "failure of what does not open", v.Failure, "")
		same(c, "fields of what does not open", string(v.Fields), "null")
		return
	}
	c.equal("plaintext", plaintext, v.Plaintext)
	t, err := mimi.ParseGroupInfoRatchetTreeTBE(plaintext, nil)
	if err == nil {
		err = t.Check()
	}
	if !c.failed(err, v.Failure) {
		same(c, "fields of a failure", string(v.Fields), "null")
		return
	}
	pending := []any{}
	for i := range t.PendingProposals {
		p := &t.PendingProposals[i]
		pending = append(pending, map[string]any{"proposal": hexed(&p.Proposal), "hub_accepted_time": p.HubAcceptedTime})
	}
	c.alike("fields", map[string]any{"groupInfo": hexed(&t.GroupInfo), "ratchetTreeOption": viewTree(&t.RatchetTreeOption), "pending_proposals": pending}, v.Fields)
}

func makeEncryption(m *maker) []any {
	const section = protocolSection + "Claim group key information"
	w := m.roomWorld()
	rename, leave, byHub := w.proposals()
	info := need(w.alice.GroupInfo(mls.GroupInfoOptions{External: true, NoTree: true}))
	embedded := need(w.alice.GroupInfo(mls.GroupInfoOptions{External: true}))
	hubKey, kem, other := m.signer(), need(m.suite.GenerateKeyPair()), need(m.suite.GenerateKeyPair())
	pending := func(b octets, at uint64) field {
		return part("", object{raw("proposal", b), num64("hub_accepted_time", at)})
	}
	tbe := func(info *message.GroupInfo, option field, list ...field) object {
		return object{raw("groupInfo", encoded(info)), option, vector("pending_proposals", list...)}
	}
	full, none := treeOption(1, "full", raw("ratchet_tree", w.ratchetTree())), treeOption(4, "distributionService")
	var cases []any
	add := func(name string, plaintext object, key suite.KeyPair, room, failure string, because ...int) {
		kemOutput, ciphertext, err := labeled.Encrypt(m.suite, key.Public, mimi.LabelGroupInfoAndTree, []byte(room), plaintext.bytes())
		need(0, err)
		answer := object{mls10(), text("", clubhouse), num8("", 1), num16("", uint16(m.suite.ID())), raw("", object{data("", hubKey.Public), basic(hubURI)}.bytes()), data("", kemOutput), data("", ciphertext)}
		answer = append(answer, data("", m.sign(hubKey, mimi.LabelGroupInfoResponse, answer.bytes())))
		v := &encryptionCase{head: newHead(name, section), Suite: m.suite.ID(), Private: octets(kem.Private), Public: octets(kem.Public), Label: mimi.LabelGroupInfoAndTree, RoomID: clubhouse,
			Response: answer.bytes(), KEMOutput: kemOutput, Ciphertext: ciphertext, Opens: &key.Public[0] == &kem.Public[0] && room == clubhouse, Plaintext: octets{}, Failure: failure, Fields: json.RawMessage("null")}
		if v.Opens {
			v.Plaintext = plaintext.bytes()
			if failure == "" {
				v.Fields = plaintext.json()
			}
		}
		for _, n := range append([]int{23, 33}, because...) {
			v.Deviations = append(v.Deviations, deviation(mimi1, n))
		}
		cases = append(cases, v)
	}
	add("with the tree and without pending proposals", tbe(info, full), kem, clubhouse, "", 21)
	add("with the tree and three pending proposals", tbe(info, full, pending(rename, millis), pending(leave, millis+1), pending(byHub, millis+2)), kem, clubhouse, "", 18, 21)
	add("without the tree", tbe(info, none), kem, clubhouse, "")
	add("with the tree inside the GroupInfo", tbe(embedded, none), kem, clubhouse, "rule")
	add("with a Commit among the proposals", tbe(info, none, pending(w.added, millis)), kem, clubhouse, "content")
	add("with a proposal of the epoch before", tbe(w.made, none, pending(rename, millis)), kem, clubhouse, "")
	add("cut short", object{raw("", tbe(info, none).bytes()[:100])}, kem, clubhouse, "truncated")
	add("to another key", tbe(info, full), other, clubhouse, "")
	add("for another room", tbe(info, full), kem, "mimi://h.example/r/other", "")
	return cases
}

// downloadCase is one of proxy-download.json, which has no bodies.
type downloadCase struct {
	head
	URL     string `json:"download_url"`
	Host    string `json:"host"` // "" if it is refused
	Escaped string `json:"path_variable"`
}

func checkDownload(c *checker, v *downloadCase) {
	host, err := mimi.DownloadURL(v.URL)
	if err != nil && v.Host != "" {
		c.ok("download_url", err)
	}
	if err == nil || v.Host == "" {
		same(c, "host", host, v.Host)
	}
	same(c, "path_variable", mimi.Escape(v.URL), v.Escaped)
}

func makeDownload(*maker) []any {
	const section = protocolSection + "Download Files"
	var cases []any
	for _, r := range []struct{ name, url, host, escaped string }{
		{"an asset", "https://assets.b.example/4c3f", "assets.b.example", "https%3A%2F%2Fassets.b.example%2F4c3f"},
		{"a host in capitals", "https://ASSETS.B.example/4c3f", "assets.b.example", "https%3A%2F%2FASSETS.B.example%2F4c3f"},
		{"a query", "https://assets.b.example/get?id=4c3f&v=1", "assets.b.example", "https%3A%2F%2Fassets.b.example%2Fget%3Fid%3D4c3f%26v%3D1"},
		{"a path that is encoded", "https://assets.b.example/a%20b", "assets.b.example", "https%3A%2F%2Fassets.b.example%2Fa%2520b"},
		{"by http", "http://assets.b.example/4c3f", "", "http%3A%2F%2Fassets.b.example%2F4c3f"},
		{"with a user", "https://alice@assets.b.example/4c3f", "", "https%3A%2F%2Falice%40assets.b.example%2F4c3f"},
		{"with a fragment", "https://assets.b.example/4c3f#x", "", "https%3A%2F%2Fassets.b.example%2F4c3f%23x"},
		{"at an address", "https://192.0.2.7/4c3f", "", "https%3A%2F%2F192.0.2.7%2F4c3f"},
		{"at an address of IPv6", "https://[2001:db8::7]/4c3f", "", "https%3A%2F%2F%5B2001%3Adb8%3A%3A7%5D%2F4c3f"},
		{"at no host", "https:///4c3f", "", "https%3A%2F%2F%2F4c3f"},
		{"a MIMI URI", "mimi://b.example/r/clubhouse", "", "mimi%3A%2F%2Fb.example%2Fr%2Fclubhouse"},
	} {
		cases = append(cases, &downloadCase{newHead(r.name, section), r.url, r.host, r.escaped})
	}
	return cases
}

// directoryCase is one of directory.json.
type directoryCase struct {
	head
	Document  string     `json:"document"`
	Domain    string     `json:"domain"`
	Hosts     []string   `json:"hosts"` // that the provider has declared besides
	Readable  bool       `json:"readable"`
	Good      bool       `json:"good"`
	Wrong     []string   `json:"wrong"` // endpoints
	Templates []template `json:"templates"`
}

type template struct {
	Endpoint string `json:"endpoint"`
	Host     string `json:"host"`
	Variable string `json:"variable"`
}

func checkDirectory(c *checker, v *directoryCase) {
	d, err := mimi.ParseDirectory([]byte(v.Document))
	if !same(c, "readable", err == nil, v.Readable) || err != nil {
		same(c, "good", false, v.Good)
		same(c, "wrong of what is not readable", len(v.Wrong)+len(v.Templates), 0)
		return
	}
	bad := d.Check(v.Domain, v.Hosts...)
	same(c, "good", bad == nil, v.Good)
	wrong := []string{}
	if list, ok := bad.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			if x, ok := e.(*mimi.DirectoryError); ok {
				wrong = append(wrong, string(x.Endpoint))
			}
		}
	}
	if !slices.Equal(wrong, v.Wrong) {
		c.fail("wrong", "got %v, the case has %v", wrong, v.Wrong)
	}
	got := []template{}
	for _, e := range mimi.Endpoints {
		if t, err := d.Template(e.Name); err == nil {
			got = append(got, template{string(e.Name), t.Host(), t.Variable().Name})
		}
	}
	if !slices.Equal(got, v.Templates) {
		c.fail("templates", "got %v, the case has %v", got, v.Templates)
	}
}

// paths are those of the sections of the draft, in their order.
var paths = []struct{ endpoint, variable string }{
	{"keyMaterial", "targetUser"}, {"update", "roomId"}, {"submitMessage", "roomId"}, {"notify", "roomId"}, {"groupInfo", "roomId"},
	{"requestConsent", "targetDomain"}, {"updateConsent", "requesterDomain"}, {"identifierQuery", "domain"}, {"reportAbuse", "roomId"}, {"proxyDownload", "downloadUrl"},
}

func makeDirectory(*maker) []any {
	const section, base = protocolSection + "Directory", "https://mimi.a.example/v1/"
	// document writes the directory of all endpoints, with changes.
	document := func(change map[string]string) string {
		var b strings.Builder
		b.WriteString("{")
		n := 0
		for _, p := range paths {
			url := base + p.endpoint + "/{" + p.variable + "}"
			if u, ok := change[p.endpoint]; ok {
				if url = u; u == "" {
					continue
				}
			}
			if n++; n > 1 {
				b.WriteString(", ")
			}
			b.WriteString(`"` + p.endpoint + `": "` + url + `"`)
		}
		return b.String() + "}"
	}
	templates := func(change map[string]template) []template {
		all := []template{}
		for _, p := range paths {
			t := template{p.endpoint, "mimi.a.example", p.variable}
			if x, ok := change[p.endpoint]; ok {
				if t = x; x.Endpoint == "" {
					continue
				}
			}
			all = append(all, t)
		}
		return all
	}
	const mimiHost = "mimi.a.example"
	own := []string{mimiHost}
	one := func(e, url string) map[string]string { return map[string]string{e: url} }
	without := func(e string) map[string]template { return map[string]template{e: {}} }
	good := document(nil)
	plain := func(n ...int) (all []string) {
		for _, i := range n {
			all = append(all, deviation(mimi1, i))
		}
		return all
	}
	var cases []any
	add := func(name, doc string, hosts []string, readable bool, wrong []string, t []template, because []string) {
		cases = append(cases, &directoryCase{newHead(name, section, because...), doc, "a.example", append([]string{}, hosts...), readable, readable && len(wrong) == 0, append([]string{}, wrong...), append([]template{}, t...)})
	}
	add("all endpoints, at a host that was declared", good, own, true, nil, templates(nil), plain(29))
	all := []string{}
	for _, p := range paths {
		all = append(all, p.endpoint)
	}
	add("all endpoints, at a host that was not", good, nil, true, all, templates(nil), plain(29))
	add("an endpoint is missing", document(one("reportAbuse", "")), own, true, []string{"reportAbuse"}, templates(without("reportAbuse")), nil)
	add("none are there", "{}", own, true, all, nil, nil)
	add("an endpoint that nobody knows", `{"later": 7, `+good[1:], own, true, nil, templates(nil), nil)
	add("the variables of the draft's directory", document(map[string]string{"requestConsent": base + "requestConsent/{targetUser}", "updateConsent": base + "updateConsent/{requesterUser}"}), own, true, nil,
		templates(map[string]template{"requestConsent": {"requestConsent", mimiHost, "targetUser"}, "updateConsent": {"updateConsent", mimiHost, "requesterUser"}}), plain(27))
	add("update without a slash, as in the draft", document(one("update", base+"update{roomId}")), own, true, nil, templates(nil), plain(27))
	add("proxyDownload without a colon, as in the draft", strings.Replace(good, `"proxyDownload": `, `"proxyDownload" `, 1), own, true, nil, templates(nil), plain(28))
	add("an endpoint at a port", document(one("notify", "https://mimi.a.example:8443/n/{roomId}")), own, true, nil, templates(map[string]template{"notify": {"notify", "mimi.a.example:8443", "roomId"}}), nil)
	add("an endpoint at the domain itself", document(one("notify", "https://A.example/n/{roomId}")), own, true, nil, templates(map[string]template{"notify": {"notify", "A.example", "roomId"}}), nil)
	add("an endpoint at another's host", document(one("notify", "https://b.example/n/{roomId}")), own, true, []string{"notify"}, templates(map[string]template{"notify": {"notify", "b.example", "roomId"}}), plain(29))
	for _, r := range []struct{ name, url string }{
		{"an endpoint by http", "http://mimi.a.example/v1/notify/{roomId}"},
		{"an endpoint without a variable", base + "notify"},
		{"an endpoint with another's variable", base + "notify/{targetUser}"},
		{"an endpoint with two variables", base + "notify/{roomId}/{roomId}"},
		{"an endpoint with a query", base + "notify?room={roomId}"},
		{"an endpoint with a fragment", base + "notify/{roomId}#top"},
		{"an endpoint with its variable in the host", "https://{roomId}.a.example/notify"},
		{"an endpoint with an operator of RFC 6570", base + "notify/{+roomId}"},
	} {
		add(r.name, document(one("notify", r.url)), own, true, []string{"notify"}, templates(without("notify")), plain(27))
	}
	add("an endpoint twice", `{"notify": "`+base+`notify/{roomId}", `+good[1:], own, false, nil, nil, nil)
	add("an endpoint that is a number", strings.Replace(good, `"`+base+`notify/{roomId}"`, "7", 1), own, false, nil, nil, nil)
	add("an array", "["+good+"]", own, false, nil, nil, nil)
	add("more than an object", good+" {}", own, false, nil, nil, nil)
	add("nothing", "", own, false, nil, nil, nil)
	add("cut short", good[:len(good)/2], own, false, nil, nil, nil)
	add("another colon missing", strings.Replace(good, `"notify": `, `"notify" `, 1), own, false, nil, nil, plain(28))
	return cases
}

// urlCase is one of url-templates.json.
type urlCase struct {
	head
	Endpoint string `json:"endpoint"`
	Template string `json:"template"`
	Value    string `json:"value"`
	URL      string `json:"url"`
	Path     string `json:"path"`    // of a request, with its percent-encoding
	Matches  bool   `json:"matches"` // Path is the template's, and gives Value
}

func checkURL(c *checker, v *urlCase) {
	e, ok := mimi.FindEndpoint(mimi.EndpointName(v.Endpoint))
	if !ok {
		c.fail("endpoint", "%.40q is none of the draft's", v.Endpoint)
		return
	}
	t, err := mimi.ParseTemplate(e, v.Template)
	if !c.ok("template", err) {
		return
	}
	same(c, "url", t.Expand(v.Value), v.URL)
	value, ok := t.Match(v.Path)
	same(c, "matches", ok && value == v.Value, v.Matches)
}

func makeURL(*maker) []any {
	const section, base = protocolSection + "Directory", "https://mimi.a.example/v1/"
	const escaped = "mimi%3A%2F%2Fh.example%2Fr%2Fclubhouse"
	notify := base + "notify/{roomId}"
	d := deviation(mimi1, 27)
	var cases []any
	for _, r := range []struct {
		name, endpoint, template, value, url, path string
		matches                                    bool
	}{
		{"a room", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/" + escaped, true},
		{"a user", "keyMaterial", base + "keyMaterial/{targetUser}", user("bob"), base + "keyMaterial/mimi%3A%2F%2Fb.example%2Fu%2Fbob", "/v1/keyMaterial/mimi%3A%2F%2Fb.example%2Fu%2Fbob", true},
		{"a domain", "requestConsent", base + "requestConsent/{targetDomain}", "b.example", base + "requestConsent/b.example", "/v1/requestConsent/b.example", true},
		{"a URL", "proxyDownload", base + "proxyDownload/{downloadUrl}", "https://assets.b.example/get?id=1", base + "proxyDownload/https%3A%2F%2Fassets.b.example%2Fget%3Fid%3D1", "/v1/proxyDownload/https%3A%2F%2Fassets.b.example%2Fget%3Fid%3D1", true},
		{"a variable in the middle of a path", "notify", "https://a.example/rooms/{roomId}/events", clubhouse, "https://a.example/rooms/" + escaped + "/events", "/rooms/" + escaped + "/events", true},
		{"no slash before the variable", "update", base + "update{roomId}", clubhouse, base + "update" + escaped, "/v1/update" + escaped, true},
		{"unreserved characters are left alone, others are not", "notify", notify, "aZ09-._~!*'()@ é", base + "notify/aZ09-._~%21%2A%27%28%29%40%20%C3%A9", "/v1/notify/aZ09-._~%21%2A%27%28%29%40%20%C3%A9", true},
		{"digits of an encoding in lower case", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/" + strings.ToLower(escaped), true},
		{"a colon that was left as it is", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/mimi:%2F%2Fh.example%2Fr%2Fclubhouse", true},
		{"slashes that were left as they are", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/mimi:%2F%2Fh.example/r/clubhouse", false},
		{"another endpoint's path", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/update/" + escaped, false},
		{"another room's path", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/mimi%3A%2F%2Fh.example%2Fr%2Fother", false},
		{"a path of no value", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/", false},
		{"an encoding that is broken", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/mimi%3", false},
		{"a query behind the value", "notify", notify, clubhouse, base + "notify/" + escaped, "/v1/notify/" + escaped + "?x", false},
	} {
		cases = append(cases, &urlCase{newHead(r.name, section, d), r.endpoint, r.template, r.value, r.url, r.path, r.matches})
	}
	return cases
}

// pseudonymCase is one of pseudonymous-credential.json.
type pseudonymCase struct {
	head
	Suite        suite.ID `json:"cipher_suite"`
	Credential   octets   `json:"credential"`
	Client       string   `json:"client_pseudonym"`
	User         string   `json:"user_pseudonym"`
	SignatureKey octets   `json:"signature_public_key"`
	TBS          octets   `json:"tbs"`
	Label        string   `json:"label"`
	LinkKey      octets   `json:"link_key"`
	Nonce        octets   `json:"nonce"`
	Opens        bool     `json:"opens"`
	Link         octets   `json:"identity_link"`
	Signature    octets   `json:"pseudonymous_credential_signature"`
	RealClient   octets   `json:"client_credential"`
	RealPrivate  octets   `json:"client_signature_priv"`
	RealPublic   octets   `json:"client_signature_key"`
	Valid        bool     `json:"valid"`
}

func checkPseudonym(c *checker, v *pseudonymCase) {
	s, ok := c.withSuite(v.Suite)
	if !ok {
		return
	}
	p, err := mimi.ParsePseudonymousCredential(v.Credential)
	if !c.ok("credential", err) {
		return
	}
	same(c, "client_pseudonym", string(p.ClientPseudonym), v.Client)
	same(c, "user_pseudonym", string(p.UserPseudonym), v.User)
	c.equal("signature_public_key", p.SignaturePublicKey, v.SignatureKey)
	if b, err := p.TBS(); c.ok("tbs", err) {
		c.equal("tbs", b, v.TBS)
	}
	same(c, "label", mimi.LabelPseudonymousCredential, v.Label)
	c.keyPair("client_signature_priv", v.RealPrivate, v.RealPublic, s.SignerPublicKey)
	if n := len(v.Nonce); n > len(p.IdentityLinkCiphertext) {
		c.fail("nonce", "%d bytes, more than the ciphertext", n)
	} else {
		same(c, "nonce (bytes)", n, 12)
		c.equal("nonce", p.IdentityLinkCiphertext[:n], v.Nonce)
	}
	link, err := p.OpenLink(s, mimi.LinkKey(v.LinkKey))
	if !same(c, "opens", err == nil, v.Opens) || err != nil {
		same(c, "identity_link of what does not open (bytes)", len(v.Link)+len(v.Signature)+len(v.RealClient), 0)
		same(c, "valid of what does not open", v.Valid, false)
		return
	}
	c.equal("identity_link", hexed(link), v.Link)
	c.equal("pseudonymous_credential_signature", link.PseudonymousCredentialSignature, v.Signature)
	c.equal("client_credential", hexed(&link.ClientCredential), v.RealClient)
	same(c, "valid", labeled.Verify(s, v.RealPublic, v.Label, v.TBS, v.Signature) == nil, v.Valid)
}

func makePseudonym(m *maker) []any {
	const section = protocolSection + "Credential encryption"
	realKey, own, key, other := m.signer(), m.signer(), m.random(16), m.random(16)
	d := []string{deviation(mimi1, 16), deviation(mimi1, 17)}
	var cases []any
	add := func(name string, f func(v *pseudonymCase, tbs object, seal func(key octets, aad, link octets))) {
		tbs := object{text("client_pseudonym", "mimi://a.example/d/koala/1"), text("user_pseudonym", "mimi://a.example/p/koala"), data("signature_public_key", own.Public)}
		v := &pseudonymCase{head: newHead(name, section, d...), Suite: m.suite.ID(), Client: tbs[0].value.(string), User: tbs[1].value.(string), SignatureKey: octets(own.Public), TBS: tbs.bytes(), Label: mimi.LabelPseudonymousCredential,
			LinkKey: key, Nonce: m.random(12), Link: octets{}, Signature: octets{}, RealClient: octets{}, RealPrivate: seed(realKey), RealPublic: octets(realKey.Public)}
		f(v, tbs, func(key octets, aad, link octets) {
			ciphertext := need(m.suite.AEAD(key)).Seal(append(octets{}, v.Nonce...), v.Nonce, link, aad)
			v.Credential = append(tbs[:3:3], data("", ciphertext)).bytes()
		})
		cases = append(cases, v)
	}
	credential := object{basic(client("alice"))}.bytes()
	link := func(v *pseudonymCase, signature octets) {
		v.Opens, v.Signature, v.RealClient = true, signature, credential
		v.Link = object{data("", signature), raw("", credential)}.bytes()
	}
	add("a pseudonym and its link", func(v *pseudonymCase, tbs object, seal func(octets, octets, octets)) {
		link(v, m.sign(realKey, v.Label, v.TBS))
		v.Valid = true
		seal(key, v.TBS, v.Link)
	})
	add("a link that the real client did not sign", func(v *pseudonymCase, tbs object, seal func(octets, octets, octets)) {
		link(v, m.sign(own, v.Label, v.TBS))
		seal(key, v.TBS, v.Link)
	})
	add("a link of another pseudonym, signed and encrypted anew", func(v *pseudonymCase, tbs object, seal func(octets, octets, octets)) {
		foreign := append(object{text("", "mimi://a.example/d/wombat/1")}, tbs[1:]...)
		link(v, m.sign(realKey, v.Label, foreign.bytes()))
		seal(key, v.TBS, v.Link)
	})
	add("a link that was moved from another pseudonym", func(v *pseudonymCase, tbs object, seal func(octets, octets, octets)) {
		foreign := append(object{text("", "mimi://a.example/d/wombat/1")}, tbs[1:]...)
		seal(key, foreign.bytes(), object{data("", m.sign(realKey, v.Label, foreign.bytes())), raw("", credential)}.bytes())
	})
	add("another key", func(v *pseudonymCase, tbs object, seal func(octets, octets, octets)) {
		seal(other, v.TBS, object{data("", m.sign(realKey, v.Label, v.TBS)), raw("", credential)}.bytes())
	})
	return cases
}
