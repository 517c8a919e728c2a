// Drives the npm package `mqtt`, unmodified, against a server: node npm_mqtt.mjs PORT 4|5. Prints "ok" at the end.
import assert from "node:assert";
import { createRequire } from "node:module";

const mqtt = createRequire(process.cwd() + "/")("mqtt");
const [port, version] = [process.argv[2], Number(process.argv[3])];
const url = `mqtt://127.0.0.1:${port}`;
const top = `npm/${version}`;

setTimeout(() => { console.error("nothing happened for 30 s"); process.exit(1); }, 30_000).unref();

// A client, and its messages in order.
async function open(clientId, options = {}) {
  const client = await mqtt.connectAsync(url, { clientId, protocolVersion: version, reconnectPeriod: 0, ...options });
  const waiting = [], arrived = [];
  client.on("message", (topic, payload, packet) => {
    const message = { topic, text: payload.toString(), qos: packet.qos, retain: packet.retain, properties: packet.properties };
    waiting.length ? waiting.shift()(message) : arrived.push(message);
  });
  client.next = () => arrived.length ? Promise.resolve(arrived.shift()) : new Promise((resolve) => waiting.push(resolve));
  return client;
}

const publisher = await open(`npm-publisher-${version}`);
const subscriber = await open(`npm-subscriber-${version}`);
await subscriber.subscribeAsync(`${top}/qos/#`, { qos: 2 });
for (const qos of [0, 1, 2]) {
  await publisher.publishAsync(`${top}/qos/${qos}`, `hello ${qos}`, { qos });
  const got = await subscriber.next();
  assert.deepEqual([got.topic, got.text, got.qos], [`${top}/qos/${qos}`, `hello ${qos}`, qos]);
}

await publisher.publishAsync(`${top}/kept`, "kept", { qos: 1, retain: true });
await subscriber.subscribeAsync(`${top}/kept`, { qos: 1 });
const kept = await subscriber.next();
assert.deepEqual([kept.text, kept.retain], ["kept", true]);

await subscriber.subscribeAsync(`${top}/will`, { qos: 1 });
const dying = await open(`npm-dying-${version}`, { will: { topic: `${top}/will`, payload: Buffer.from("gone"), qos: 1, retain: false } });
dying.stream.destroy();
assert.equal((await subscriber.next()).text, "gone");

const members = [await open(`npm-share-a-${version}`), await open(`npm-share-b-${version}`)];
for (const member of members) await member.subscribeAsync(`$share/group/${top}/share`, { qos: 1 });
for (const text of ["1", "2"]) await publisher.publishAsync(`${top}/share`, text, { qos: 1 });
assert.deepEqual((await Promise.all(members.map((member) => member.next()))).map((message) => message.text).sort(), ["1", "2"]);

const away = await open(`npm-away-${version}`, { clean: false, properties: version === 5 ? { sessionExpiryInterval: 60 } : undefined });
await away.subscribeAsync(`${top}/away`, { qos: 1 });
await away.endAsync();
await publisher.publishAsync(`${top}/away`, "waits", { qos: 1 });
const back = mqtt.connect(url, { clientId: `npm-away-${version}`, protocolVersion: version, clean: false, reconnectPeriod: 0 });
const waited = await new Promise((resolve) => back.on("message", (_, payload) => resolve(payload.toString())));
assert.equal(waited, "waits");
await back.endAsync();

if (version === 5) {
  await subscriber.subscribeAsync(`${top}/properties`, { qos: 1, properties: { subscriptionIdentifier: 7 } });
  await publisher.publishAsync(`${top}/properties`, "x", {
    qos: 1, properties: { responseTopic: "answers", correlationData: Buffer.from("id"), userProperties: { a: "1", b: "2" }, contentType: "text/plain" } });
  const { properties } = await subscriber.next();
  assert.equal(properties.responseTopic, "answers");
  assert.equal(properties.correlationData.toString(), "id");
  assert.deepEqual({ ...properties.userProperties }, { a: "1", b: "2" });
  assert.equal(properties.subscriptionIdentifier, 7);
}
for (const client of [publisher, subscriber, ...members]) await client.endAsync();
console.log("ok");
process.exit(0);
