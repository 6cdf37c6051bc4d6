// A client of @signalapp/libsignal-client that obeys one JSON request per line
// on standard input and answers with one JSON line each. Bytes travel as base64.
import { createInterface } from 'node:readline';

const lib = await import('@signalapp/libsignal-client');
const bytes = (s) => Buffer.from(s, 'base64');
const text = (b) => Buffer.from(b).toString('base64');

const identity = lib.PrivateKey.generate();
const registrationId = 1 + Math.floor(Math.random() * 16380);
const me = lib.ProtocolAddress.new('oracle', 1);
const peer = lib.ProtocolAddress.new('peer', 1);
const key = (address) => `${address.name()}.${address.deviceId()}`;

class Sessions extends lib.SessionStore {
  map = new Map();
  async saveSession(name, record) { this.map.set(key(name), record.serialize()); }
  async getSession(name) {
    const b = this.map.get(key(name));
    return b ? lib.SessionRecord.deserialize(b) : null;
  }
  async getExistingSessions(names) { return Promise.all(names.map((n) => this.getSession(n))); }
}

class Identities extends lib.IdentityKeyStore {
  map = new Map();
  async getIdentityKey() { return identity; }
  async getIdentityKeyPair() { return new lib.IdentityKeyPair(identity.getPublicKey(), identity); }
  async getLocalRegistrationId() { return registrationId; }
  async saveIdentity(name, k) {
    this.map.set(key(name), k);
    return lib.IdentityChange ? lib.IdentityChange.NewOrUnchanged : false;
  }
  async isTrustedIdentity() { return true; }
  async getIdentity(name) { return this.map.get(key(name)) ?? null; }
}

class PreKeys extends lib.PreKeyStore {
  map = new Map();
  async savePreKey(id, record) { this.map.set(id, record.serialize()); }
  async getPreKey(id) { return lib.PreKeyRecord.deserialize(this.map.get(id)); }
  async removePreKey(id) { this.map.delete(id); }
}

class SignedPreKeys extends lib.SignedPreKeyStore {
  map = new Map();
  async saveSignedPreKey(id, record) { this.map.set(id, record.serialize()); }
  async getSignedPreKey(id) { return lib.SignedPreKeyRecord.deserialize(this.map.get(id)); }
}

class SenderKeys extends lib.SenderKeyStore {
  map = new Map();
  async saveSenderKey(sender, id, record) { this.map.set(key(sender) + id, record.serialize()); }
  async getSenderKey(sender, id) {
    const b = this.map.get(key(sender) + id);
    return b ? lib.SenderKeyRecord.deserialize(b) : null;
  }
}

const sessions = new Sessions();
const identities = new Identities();
const preKeys = new PreKeys();
const signedPreKeys = new SignedPreKeys();
const senderKeys = new SenderKeys();
const kyberPreKeys = lib.KyberPreKeyStore ? new (class extends lib.KyberPreKeyStore {})() : undefined;
const distributionId = 'd1d1d1d1-7000-11eb-b32a-33b8a8a487a6';

const ops = {
  // bundle publishes fresh key material; id is the one-time prekey's, or null.
  async bundle({ id }) {
    const signed = lib.PrivateKey.generate();
    const signature = identity.sign(signed.getPublicKey().serialize());
    await signedPreKeys.saveSignedPreKey(
      7, lib.SignedPreKeyRecord.new(7, 0, signed.getPublicKey(), signed, signature));
    const out = {
      registrationId, signedId: 7, identity: text(identity.getPublicKey().serialize()),
      signedKey: text(signed.getPublicKey().serialize()), signature: text(signature),
    };
    if (id !== null) {
      const one = lib.PrivateKey.generate();
      await preKeys.savePreKey(id, lib.PreKeyRecord.new(id, one.getPublicKey(), one));
      out.key = text(one.getPublicKey().serialize());
    }
    return out;
  },
  // establish starts a session from a bundle.
  async establish(b) {
    const bundle = lib.PreKeyBundle.new(
      b.registrationId, 1, b.id, b.id === null ? null : lib.PublicKey.deserialize(bytes(b.key)),
      b.signedId, lib.PublicKey.deserialize(bytes(b.signedKey)), bytes(b.signature),
      lib.PublicKey.deserialize(bytes(b.identity)));
    await lib.processPreKeyBundle(bundle, peer, sessions, identities);
    return {};
  },
  async encrypt({ text: t }) {
    const m = await lib.signalEncrypt(bytes(t), peer, sessions, identities);
    return { type: m.type() === lib.CiphertextMessageType.PreKey ? 'pkmsg' : 'msg', payload: text(m.serialize()) };
  },
  async decrypt({ type, payload }) {
    const b = bytes(payload);
    return {
      text: text(type === 'pkmsg'
        ? await lib.signalDecryptPreKey(lib.PreKeySignalMessage.deserialize(b), peer, sessions, identities,
          preKeys, signedPreKeys, kyberPreKeys)
        : await lib.signalDecrypt(lib.SignalMessage.deserialize(b), peer, sessions, identities)),
    };
  },
  async distribute() {
    const m = await lib.SenderKeyDistributionMessage.create(me, distributionId, senderKeys);
    return { payload: text(m.serialize()) };
  },
  async receiveDistribution({ payload }) {
    await lib.processSenderKeyDistributionMessage(
      peer, lib.SenderKeyDistributionMessage.deserialize(bytes(payload)), senderKeys);
    return {};
  },
  async groupEncrypt({ text: t }) {
    const m = await lib.groupEncrypt(me, distributionId, senderKeys, bytes(t));
    return { payload: text(m.serialize()) };
  },
  async groupDecrypt({ payload }) {
    return { text: text(await lib.groupDecrypt(peer, senderKeys, bytes(payload))) };
  },
  async safetyNumber({ localId, localKey, remoteId, remoteKey }) {
    const f = lib.Fingerprint.new(5200, 1, bytes(localId), lib.PublicKey.deserialize(bytes(localKey)),
      bytes(remoteId), lib.PublicKey.deserialize(bytes(remoteKey)));
    return { text: text(f.displayableFingerprint().toString()) };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let answer;
  try {
    answer = await ops[request.op](request);
  } catch (e) {
    answer = { error: String(e) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
