"""Clients of others, unmodified, on cloud_server: Debian's Paho for Python and C, libmosquitto, and npm's `mqtt`; each in every version
it speaks, with QoS 0 to 2, retained messages, wills, shared subscriptions and sessions that wait."""

import os
import pathlib
import queue
import shutil

import harness

CLIENTS = pathlib.Path(__file__).resolve().parents[1] / "clients"
NPM = pathlib.Path(os.environ.get("ATALAYA_PEERS", "build/peers")) / "npm"


class PahoPython:
    """One client whose messages wait in a queue."""

    def __init__(self, mqtt, port: str, version: int, client_id: str, clean: bool = True, will: str = ""):
        options = {} if version == 5 else {"clean_session": clean}
        self.client = mqtt.Client(client_id=client_id, protocol=version, **options)
        self.connected, self.granted, self.messages = queue.Queue(), queue.Queue(), queue.Queue()
        self.client.on_connect = lambda *arguments: self.connected.put(int(getattr(arguments[3], "value", arguments[3])))
        self.client.on_subscribe = lambda *arguments: self.granted.put([int(getattr(code, "value", code)) for code in arguments[3]])
        self.client.on_message = lambda _, __, message: self.messages.put(message)
        if will:
            self.client.will_set(will, "gone", qos=1)
        properties = None
        if version == 5 and not clean:
            properties = mqtt.Properties(mqtt.PacketTypes.CONNECT)
            properties.SessionExpiryInterval = 60
        options = {"clean_start": clean, "properties": properties} if version == 5 else {}
        self.client.connect("127.0.0.1", int(port), **options)
        self.client.loop_start()
        assert self.connected.get(timeout=harness.DEADLINE_S) == 0

    def subscribe(self, topic: str, qos: int):
        self.client.subscribe(topic, qos)
        assert self.granted.get(timeout=harness.DEADLINE_S) == [qos]

    def publish(self, topic: str, text: str, **options):
        self.client.publish(topic, text, **options).wait_for_publish(harness.DEADLINE_S)

    def expect(self, topic: str, text: str, qos: int):
        got = self.messages.get(timeout=harness.DEADLINE_S)
        assert (got.topic, got.payload.decode(), got.qos) == (topic, text, qos), (got.topic, got.payload, got.qos)
        return got

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def paho_python(port: str, version: int):
    from paho.mqtt import client as mqtt
    from paho.mqtt.packettypes import PacketTypes
    mqtt.PacketTypes = PacketTypes
    top = f"paho-python/{version}"
    publisher = PahoPython(mqtt, port, version, f"publisher-{top}")
    subscriber = PahoPython(mqtt, port, version, f"subscriber-{top}")
    subscriber.subscribe(f"{top}/qos", 2)
    for qos in (0, 1, 2):
        publisher.publish(f"{top}/qos", "hello", qos=qos)
        subscriber.expect(f"{top}/qos", "hello", qos)
    publisher.publish(f"{top}/kept", "kept", qos=1, retain=True)
    subscriber.subscribe(f"{top}/kept", 1)
    assert subscriber.expect(f"{top}/kept", "kept", 1).retain
    subscriber.subscribe(f"$share/group/{top}/shared", 1)
    publisher.publish(f"{top}/shared", "shared", qos=1)
    subscriber.expect(f"{top}/shared", "shared", 1)
    subscriber.subscribe(f"{top}/will", 1)
    PahoPython(mqtt, port, version, f"dying-{top}", will=f"{top}/will")
    PahoPython(mqtt, port, version, f"dying-{top}").close()  # Takes over, so the will is published.
    subscriber.expect(f"{top}/will", "gone", 1)
    away = PahoPython(mqtt, port, version, f"away-{top}", clean=False)
    away.subscribe(f"{top}/away", 1)
    away.close()
    publisher.publish(f"{top}/away", "waits", qos=1)
    away = PahoPython(mqtt, port, version, f"away-{top}", clean=False)
    away.expect(f"{top}/away", "waits", 1)
    for client in (away, publisher, subscriber):
        client.close()


def run_peer(name: str, *command, **options):
    done = harness.run_program(*command, **options)
    assert done.returncode == 0 and done.stdout.strip() == "ok", f"{name}: {done.stdout}{done.stderr}"


def main():
    missing = []
    with harness.Bench() as bench:
        server, address = bench.start_server()
        port = address.rsplit(":", 1)[1]
        try:
            import paho.mqtt.client  # noqa: F401
            for version in (3, 4, 5):
                paho_python(port, version)
            print("served: Paho for Python, 3.1, 3.1.1 and 5.0")
        except ImportError:
            missing.append("python3-paho-mqtt is not installed")
        for name, versions in (("paho_c", "345"), ("libmosquitto", "345")):
            program = harness.BIN / f"{name}_peer"
            if not program.exists():
                missing.append(f"{name} was not built: its -dev package was not there")
                continue
            for version in versions:
                run_peer(name, str(program), port, version)
            print(f"served: {name}, 3.1, 3.1.1 and 5.0")
        if shutil.which("node") and (NPM / "node_modules" / "mqtt").is_dir():
            for version in "45":
                run_peer("npm mqtt", shutil.which("node"), CLIENTS / "npm_mqtt.mjs", port, version, cwd=NPM)
            print("served: npm's mqtt, 3.1.1 and 5.0")
        else:
            missing.append("npm's mqtt is not under build/peers/npm (node or npm could not be had)")
        server.stop()
    for why in missing:
        print("left out:", why)
    if len(missing) == 4:
        harness.skip("none of the clients is there")


harness.run(main)
