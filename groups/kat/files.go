package kat

// files are all files of vectors, in the order of the README.
var files = []File{
	{Name: "participant-list", About: "updates of the participant list", check: plain(checkParticipants), cases: makeParticipants},
	{Name: "room-metadata", About: "metadata of rooms", check: plain(checkComponent), cases: makeMetadata},
	{Name: "capabilities", About: "the registry of capabilities", check: plain(checkCapability), cases: makeCapabilities},
	{Name: "role-policies", About: "roles, the four example policies among them", check: plain(checkComponent), cases: makePolicies},
	{Name: "policy-components", About: "the other components of a room's policy", check: plain(checkComponent), cases: makeComponentCases},
	{Name: "app-data-dictionary", About: "AppDataUpdate proposals and what they make", check: plain(checkDictionary), cases: makeDictionary},
	{Name: "app-data-update", About: "AppDataUpdate in MLS groups, for hub and member", check: plain(checkAppData), cases: makeAppData},
	{Name: "authorization", About: "who may do what, over the four policies", check: plain(checkVerdict), cases: makeVerdicts},
	{Name: "safe-aad", About: "authenticated data by component", check: plain(checkSafeAAD), cases: makeSafeAAD},
	{Name: "franking", About: "franks, and what receivers and hubs say of them", check: plain(checkFranking), cases: makeFranking},
	{Name: "key-material", About: "bodies of keyMaterial", check: plain(checkBody), cases: makeKeyMaterial},
	{Name: "update", About: "bodies of update", check: plain(checkBody), cases: makeUpdate},
	{Name: "submit-message", About: "bodies of submitMessage", check: plain(checkBody), cases: makeSubmit},
	{Name: "notify", About: "FanoutMessages of notify, one or several", check: plain(checkBody), cases: makeNotify},
	{Name: "group-info", About: "bodies of groupInfo", check: plain(checkBody), cases: makeGroupInfo},
	{Name: "group-info-encryption", About: "what groupInfo encrypts, with the private key", check: plain(checkEncryption), cases: makeEncryption},
	{Name: "request-consent", About: "bodies of requestConsent", check: plain(checkBody), cases: makeRequestConsent},
	{Name: "update-consent", About: "bodies of updateConsent", check: plain(checkBody), cases: makeUpdateConsent},
	{Name: "identifier-query", About: "bodies of identifierQuery", check: plain(checkBody), cases: makeIdentifierQuery},
	{Name: "report-abuse", About: "bodies of reportAbuse", check: plain(checkBody), cases: makeReportAbuse},
	{Name: "proxy-download", About: "URLs of proxyDownload", check: plain(checkDownload), cases: makeDownload},
	{Name: "directory", About: "directory documents, good and bad", check: plain(checkDirectory), cases: makeDirectory},
	{Name: "url-templates", About: "URLs of endpoints, made and taken apart", check: plain(checkURL), cases: makeURL},
	{Name: "pseudonymous-credential", About: "pseudonyms and their links", check: plain(checkPseudonym), cases: makePseudonym},
}
