"""CONNECT, CONNACK, DISCONNECT, AUTH, PINGREQ and the ends of connections and sessions."""

from wire import (AUTH, CONNACK, DISCONNECT, PINGRESP, PUBLISH, SUBACK, Client, field, packet, properties)


def first_packet_must_be_connect(a):
    for version in (3, 4, 5):
        for data in (b"\xC0\x00", b"\x30\x03\x00\x01t", b"\xE0\x00"):
            client = Client(a, version)
            client.send(data)
            client.wait_closed()


def second_connect_ends_the_connection(a):
    for version in (3, 4, 5):
        client = Client(a, version).connect(f"second-connect-{version}")
        client.send(client.connect_bytes(f"second-connect-{version}"))
        client.ends_with(0x82)


def foreign_protocol_ends_the_connection(a):
    client = Client(a, 4)
    client.send(packet(0x10, field("HTTP") + b"\x04\x02\x00\x3C" + field("x")))
    client.wait_closed()


def unknown_level_is_answered_and_closed(a):
    client = Client(a, 4)
    client.send(packet(0x10, field("MQTT") + b"\x06\x02\x00\x3C" + field("x")))
    assert client.expect(CONNACK).reason == 1
    client.wait_closed()


def reserved_connect_flag_is_refused(a):
    for version in (4, 5):
        client = Client(a, version)
        client.send(packet(0x10, field("MQTT") + bytes([version, 3]) + b"\x00\x3C" + client.props(()) + field("x")))
        if version == 5:
            assert client.expect(CONNACK).reason == 0x81
        client.wait_closed()


def connect_flags_of_a_will_must_agree(a):
    for version in (4, 5):
        for flags in (0x0A, 0x22, 0x1E):  # QoS or retain without a will; a will at QoS 3.
            client = Client(a, version)
            will = client.props(()) + field("w") + field("w") if flags & 4 else b""
            client.send(packet(0x10, field("MQTT") + bytes([version, flags]) + b"\x00\x3C" + client.props(()) + field("x") + will))
            if version == 5:
                assert client.expect(CONNACK).reason == 0x81
            client.wait_closed()


def connect_payload_must_hold_what_its_flags_say(a):
    for version in (4, 5):
        for flags, payload in ((0x82, field("x")), (0xC2, field("x") + field("u")), (0x02, field("x") + field("u")),
                               (0x82, field("x") + field("u") + field("p")), (0x06, field("x")), (0x02, b"")):
            client = Client(a, version)
            client.send(packet(0x10, field("MQTT") + bytes([version, flags]) + b"\x00\x3C" + client.props(()) + payload))
            if version == 5:
                assert client.expect(CONNACK).reason == 0x81, flags
            client.wait_closed()
    client = Client(a, 4)  # 3.1.1 has no password without a user name.
    client.send(packet(0x10, field("MQTT") + b"\x04\x42\x00\x3C" + field("x") + field("p")))
    client.wait_closed()


def strings_of_a_connect_must_be_utf8(a):
    for version in (4, 5):
        for options in ({"client_id": b"a\x00b"}, {"client_id": b"\xED\xA0\x80"}, {"client_id": "u", "username": b"\xFF"},
                        {"client_id": "w", "will": {"topic": b"\xC3\x28"}}):
            client = Client(a, version)
            client.send(client.connect_bytes(options.pop("client_id"), **options))
            if version == 5:
                assert client.expect(CONNACK).reason == 0x81
            client.wait_closed()


def byte_order_mark_is_kept(a):
    for version in (4, 5):
        client = Client(a, version).connect(f"bom-{version}")
        client.subscribe(f"bom/\ufeff/{version}")
        client.publish(f"bom/\ufeff/{version}", "x")
        assert client.message().topic == f"bom/\ufeff/{version}"
        client.publish(f"bom//{version}", "x")
        client.ping()


def clean_start_discards_the_session(a):
    for version in (4, 5):
        props = (("session_expiry", 600),) if version == 5 else ()
        client = Client(a, version).connect(f"clean-{version}", clean=False, props=props)
        assert client.connack.session_present == 0
        client.subscribe((f"clean/{version}", 1))
        client.disconnect()
        client = Client(a, version).connect(f"clean-{version}", clean=False, props=props)
        assert client.connack.session_present == 1
        client.disconnect()
        client = Client(a, version).connect(f"clean-{version}", clean=True, props=props)
        assert client.connack.session_present == 0
        Client(a, version).connect().publish(f"clean/{version}", "x", qos=1)
        client.ping()


def session_is_resumed_with_what_it_is_owed(a):
    for version in (3, 4, 5):
        props = (("session_expiry", 600),) if version == 5 else ()
        client = Client(a, version).connect(f"resume-{version}", clean=False, props=props)
        client.subscribe((f"resume/{version}", 2))
        client.drop()
        sender = Client(a, version).connect(f"resume-sender-{version}")
        sender.publish(f"resume/{version}", "one", qos=1)
        sender.publish(f"resume/{version}", "two", qos=2)
        client = Client(a, version).connect(f"resume-{version}", clean=False, props=props)
        assert client.connack.session_present == (0 if version == 3 else 1)
        assert [client.message().payload for _ in range(2)] == [b"one", b"two"]
        client.disconnect()


def session_ends_with_its_connection_where_it_shall(a):
    client = Client(a).connect("ends", clean=False)
    client.subscribe(("ends", 1))
    client.disconnect()
    client = Client(a).connect("ends", clean=False)
    assert client.connack.session_present == 0


def session_ends_when_its_expiry_has_passed(a):
    watcher = Client(a).connect("expiry-watcher")
    watcher.subscribe("expiry/will")
    client = Client(a).connect("expiry", clean=False, props=[("session_expiry", 1)],
                               will={"topic": "expiry/will", "props": [("will_delay", 3600)]})
    client.drop()
    assert watcher.message().topic == "expiry/will"  # It ends the delay.
    client = Client(a).connect("expiry", clean=False)
    assert client.connack.session_present == 0


def disconnect_may_change_the_session_expiry(a):
    client = Client(a).connect("change", clean=False, props=[("session_expiry", 600)])
    client.disconnect(props=[("session_expiry", 0)])
    client = Client(a).connect("change", clean=False)
    assert client.connack.session_present == 0
    client.send(packet(0xE0, b"\x00" + properties(("session_expiry", 5))))  # It had asked for 0.
    client.ends_with(0x82)


def will_is_published_after_a_crash_and_not_after_a_disconnect(a):
    for version in (3, 4, 5):
        watcher = Client(a, version).connect(f"will-watcher-{version}")
        watcher.subscribe((f"will/{version}/+", 2))
        for qos in (0, 1, 2):
            crashed = Client(a, version).connect(f"will-{version}-{qos}",
                                                 will={"topic": f"will/{version}/{qos}", "payload": "gone", "qos": qos})
            crashed.drop()
            got = watcher.message()
            assert (got.topic, got.payload, got.qos) == (f"will/{version}/{qos}", b"gone", qos)
        Client(a, version).connect(f"will-{version}", will={"topic": f"will/{version}/polite"}).disconnect()
        Client(a, version).connect(f"will-{version}-none").drop()
        watcher.ping()


def will_is_published_once(a):
    watcher = Client(a).connect("once-watcher")
    watcher.subscribe("once/will")
    client = Client(a).connect("once", clean=False, props=[("session_expiry", 600)], will={"topic": "once/will"})
    client.drop()
    watcher.message()
    Client(a).connect("once", clean=True).drop()  # Ends the session that the will belonged to.
    Client(a).connect("once-2").disconnect()
    watcher.ping()


def will_is_retained_where_it_says_so(a):
    for version in (4, 5):
        watcher = Client(a, version).connect(f"kept-watcher-{version}")
        watcher.subscribe(f"kept/{version}/#")
        for name, retain in (("yes", True), ("no", False)):
            Client(a, version).connect(f"kept-{version}-{name}", will={"topic": f"kept/{version}/{name}", "payload": "x", "retain": retain}).drop()
            watcher.message()
        late = Client(a, version).connect(f"kept-late-{version}")
        late.subscribe(f"kept/{version}/#")
        got = late.message()
        assert got.topic == f"kept/{version}/yes" and got.retain
        late.ping()


def will_comes_with_its_properties_in_order(a):
    watcher = Client(a).connect("will-props-watcher")
    watcher.subscribe("will-props")
    sent = [("payload_format", 1), ("message_expiry", 60), ("content_type", "text"), ("response_topic", "r"),
            ("correlation_data", b"\x00\x01"), ("user", ("b", "1")), ("user", ("a", "2")), ("user", ("b", "3"))]
    Client(a).connect("will-props", will={"topic": "will-props", "props": [("will_delay", 0), *sent]}).drop()
    got = watcher.message()
    assert got.get("will_delay") is None and got.get("message_expiry") == 60
    assert [value for name, value in got.properties if name == "user"] == [("b", "1"), ("a", "2"), ("b", "3")]
    assert got.get("content_type") == b"text" and got.get("correlation_data") == b"\x00\x01"


def will_waits_for_its_delay(a):
    watcher = Client(a).connect("delay-watcher")
    watcher.subscribe("delay/#")
    Client(a).connect("delay", props=[("session_expiry", 600)], will={"topic": "delay/late", "props": [("will_delay", 1)]}).drop()
    Client(a).connect("delay-other", will={"topic": "delay/now"}).drop()
    assert [watcher.message().topic for _ in range(2)] == ["delay/now", "delay/late"]


def will_is_not_sent_to_one_who_comes_back_in_time(a):
    watcher = Client(a).connect("back-watcher")
    watcher.subscribe("back/#")
    client = Client(a).connect("back", clean=False, props=[("session_expiry", 600)], will={"topic": "back/will", "props": [("will_delay", 1)]})
    client.drop()
    client = Client(a).connect("back", clean=False, props=[("session_expiry", 600)])
    Client(a).connect("back-clock", props=[("session_expiry", 600)], will={"topic": "back/clock", "props": [("will_delay", 2)]}).drop()
    assert watcher.message().topic == "back/clock"
    watcher.ping()
    client.ping()


def disconnect_with_will_publishes_it(a):
    watcher = Client(a).connect("with-will-watcher")
    watcher.subscribe("with-will")
    client = Client(a).connect("with-will", will={"topic": "with-will", "payload": "x"})
    client.disconnect(reason=4)
    assert watcher.message().payload == b"x"


def silent_client_is_closed_after_one_and_a_half_keep_alives(a):
    for version in (4, 5):
        client = Client(a, version).connect(f"silent-{version}", keep_alive=1)
        client.ends_with(0x8D)


def bytes_of_an_unfinished_packet_are_no_sign_of_life(a):
    client = Client(a).connect("dribbles", keep_alive=1)
    client.send(b"\x30\xff\x7f\0\1t\0")
    client.socket.settimeout(0.2)
    for _ in range(50):
        client.send(b"x")
        try:
            got = client.receive()
            assert got.type == DISCONNECT and got.reason == 0x8D, got
            return
        except TimeoutError:
            pass
    raise AssertionError("not closed")


def empty_client_id_gets_one(a):
    first, second = Client(a).connect(""), Client(a).connect("", clean=False)
    names = [client.connack.get("assigned_client_id") for client in (first, second)]
    assert all(names) and names[0] != names[1]
    again = Client(a).connect(names[0].decode())  # It is that client's: taken over.
    first.ends_with(0x8E)
    assert again.connack.get("assigned_client_id") is None
    Client(a, 4).connect("")
    old = Client(a, 4)
    old.send(old.connect_bytes("", clean=False))
    assert old.expect(CONNACK).reason == 2
    old.wait_closed()


def any_client_id_of_the_alphabet_and_longer_is_taken(a):
    letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for version in (3, 4, 5):
        Client(a, version).connect(letters[:23])
        Client(a, version).connect(letters)


def longest_client_id_is_named_everywhere(a):
    watcher = Client(a).connect("id-watcher")
    watcher.subscribe("presence/+")
    longest = "i" * 65526  # presence/ and it are the longest topic.
    asked = Client(a).connect(longest, props=[("request_response_info", 1)])
    assert asked.connack.get("response_info") == b"response/" + longest.encode()
    while len(watcher.message().topic) < 65535:
        pass
    for version, code in ((3, 2), (4, 2), (5, 0x85)):
        for too_long in (longest + "i", "/" * 21843):
            client = Client(a, version).connect(too_long, code, props=[("request_response_info", 1)])
            client.wait_closed()


def takeover_ends_the_older_connection(a):
    for version in (3, 4, 5):
        first = Client(a, version).connect(f"twin-{version}")
        second = Client(a, version).connect(f"twin-{version}")
        first.ends_with(0x8E)
        second.ping()


def nothing_is_processed_after_a_refusal(a):
    watcher = Client(a).connect("refused-watcher")
    watcher.subscribe("refused")
    client = Client(a)
    client.send(client.connect_bytes("refused", props=[("auth_method", "none-such")]) + client.publish_bytes("refused", "x"))
    got = client.expect(CONNACK)
    assert got.reason == 0x8C and got.session_present == 0 and got.get("auth_method") is None
    client.wait_closed()
    watcher.ping()


def connack_comes_first_and_once(a):
    client = Client(a).connect("first", clean=False, props=[("session_expiry", 600)])
    client.subscribe(("first", 1))
    client.drop()
    Client(a).connect().publish("first", "x", qos=1)
    client = Client(a).connect("first", clean=False)  # Expects the CONNACK before the PUBLISH.
    assert client.connack.session_present == 1
    assert client.message().type == PUBLISH
    client.ping()


def connack_says_what_it_grants(a):
    client = Client(a).connect("grants", keep_alive=10)
    assert client.connack.get("receive_maximum") == 20 and client.connack.get("topic_alias_maximum") == 10
    for name in ("maximum_qos", "retain_available", "server_keep_alive", "assigned_client_id", "response_info", "auth_method",
                 "wildcard_available", "subscription_id_available", "shared_available", "reason_string"):
        assert client.connack.get(name) is None, name


def response_information_comes_on_request_only(a):
    asked = Client(a).connect("asks", props=[("request_response_info", 1)])
    assert asked.connack.get("response_info") == b"response/asks"
    assert Client(a).connect("a/#+", props=[("request_response_info", 1)]).connack.get("response_info") == b"response/a%2F%23%2B"
    assert Client(a).connect("asks-0", props=[("request_response_info", 0)]).connack.get("response_info") is None
    # What would not fit is not sent: here the whole CONNACK would not.
    small = Client(a)
    small.send(small.connect_bytes("asks-small", props=[("request_response_info", 1), ("maximum_packet_size", 10)]))
    small.wait_closed()


def packets_over_the_clients_maximum_are_not_sent(a):
    client = Client(a).connect("small", props=[("maximum_packet_size", 40)])
    client.subscribe(("small", 2))
    sender = Client(a).connect("small-sender")
    for qos in (0, 1, 2):
        sender.publish("small", "x" * 50, qos=qos)
        sender.publish("small", "fits", qos=qos)
        assert client.message().payload == b"fits"
    client.ping()


def disconnect_is_the_last_packet(a):
    for version in (4, 5):
        watcher = Client(a, version).connect(f"last-watcher-{version}")
        watcher.subscribe(f"last/{version}")
        client = Client(a, version).connect(f"last-{version}")
        client.send(b"\xE0\x00" + client.publish_bytes(f"last/{version}", "x"))
        client.wait_closed()
        watcher.ping()


def reserved_bits_of_the_fixed_header_are_checked(a):
    for version in (4, 5):
        for data in (b"\xE1\x00", b"\xC1\x00", b"\x60\x02\x00\x01", b"\x80\x06\x00\x01\x00\x01t\x00", b"\xA0\x05\x00\x01\x00\x01t",
                     b"\x41\x02\x00\x01", b"\x51\x02\x00\x01", b"\x71\x02\x00\x01"):
            client = Client(a, version).connect(f"bits-{version}")
            client.send(data)
            client.ends_with(0x81)
    client = Client(a).connect("bits-auth")
    client.send(b"\xF1\x00")
    client.ends_with(0x81)


def auth_without_a_method_is_a_protocol_error(a):
    for body in (b"", b"\x18" + properties(("auth_method", "m")), b"\x19" + properties(("auth_method", "m"))):
        client = Client(a).connect("auth")
        client.send(packet(AUTH << 4, body))
        client.ends_with(0x82)
    old = Client(a, 4).connect("auth-4")
    old.send(b"\xF0\x00")
    old.wait_closed()


def malformed_lengths_end_the_connection(a):
    for version in (4, 5):
        for data in (b"\xC0\x80\x00", b"\x30\xFF\xFF\xFF\xFF\x01"):
            client = Client(a, version).connect(f"length-{version}")
            client.send(data)
            client.ends_with(0x81)
    client = Client(a).connect("length-props")
    client.send(b"\x30\x06\x00\x01t\x81\x00x")  # A property length that is not in its shortest form.
    client.ends_with(0x81)


def pings_are_answered(a):
    for version in (3, 4, 5):
        client = Client(a, version).connect(f"ping-{version}")
        client.send(b"\xC0\x00" * 3)
        for _ in range(3):
            client.expect(PINGRESP)


def faults_before_connack_get_no_disconnect(a):
    client = Client(a)
    client.send(packet(0x10, field("MQTT") + b"\x05\x02\x00\x3C" + properties(("topic_alias", 1)) + field("x")))
    assert client.expect(CONNACK).reason >= 0x80
    client.wait_closed()


def server_disconnects_carry_no_session_expiry(a):
    first = Client(a).connect("no-expiry", props=[("session_expiry", 60)])
    Client(a).connect("no-expiry")
    got = first.expect(DISCONNECT)
    assert got.reason == 0x8E and got.get("session_expiry") is None
    first.wait_closed()


def packets_may_come_in_pieces(a):
    client = Client(a, 4)
    for byte in client.connect_bytes("pieces") + client.subscribe_bytes("pieces", packet_id=7):
        client.send(bytes([byte]))
    client.expect(CONNACK)
    assert client.expect(SUBACK).id == 7
