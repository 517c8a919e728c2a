"""PUBLISH and its acknowledgements, subscriptions, topics, flow control and order."""

from wire import (DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, Client, field, packet, properties)

VERSIONS = (3, 4, 5)


def pair(a, name, version=5, qos=2, sub_props=(), **options):
    """A subscriber to `name` and a publisher."""
    subscriber = Client(a, version).connect(f"{name}-subscriber-{version}", **options)
    assert subscriber.subscribe((f"{name}/{version}", qos), props=sub_props) == [qos]
    return subscriber, Client(a, version).connect(f"{name}-publisher-{version}"), f"{name}/{version}"


def qos_is_the_lower_of_both(a):
    for version in VERSIONS:
        sender = Client(a, version).connect(f"lower-{version}")
        for granted in (0, 1, 2):
            subscriber = Client(a, version).connect(f"lower-{version}-{granted}")
            subscriber.subscribe((f"lower/{version}", granted))
            for sent in (0, 1, 2):
                sender.publish(f"lower/{version}", str(sent), qos=sent)
                got = subscriber.message()
                assert (got.qos, got.payload) == (min(sent, granted), str(sent).encode())
                assert not got.dup and (got.id != 0) == (got.qos > 0)
            subscriber.disconnect()


def acknowledgements_carry_the_packets_id(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"ids-{version}")
        client.send(client.publish_bytes("ids", qos=1, packet_id=0x1234))
        assert client.expect(PUBACK).id == 0x1234
        client.send(client.publish_bytes("ids", qos=2, packet_id=0x4321))
        assert client.expect(PUBREC).id == 0x4321
        client.ack(PUBREL, 0x4321)
        assert client.expect(PUBCOMP).id == 0x4321
        client.send(client.subscribe_bytes("ids", packet_id=0xFFFF))
        assert client.expect(SUBACK).id == 0xFFFF
        client.send(packet(0xA2, b"\xAB\xCD" + client.props(()) + field("ids")))
        assert client.expect(UNSUBACK).id == 0xABCD


def packet_id_zero_ends_the_connection(a):
    for version in VERSIONS:
        props = b"\x00" if version == 5 else b""
        for data in (packet(0x32, field("t") + b"\x00\x00" + props), packet(0x82, b"\x00\x00" + props + field("t") + b"\x00"),
                     packet(0xA2, b"\x00\x00" + props + field("t"))):
            client = Client(a, version).connect(f"zero-{version}")
            client.send(data)
            client.ends_with(0x82)


def both_qos_bits_end_the_connection(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"qos3-{version}")
        client.send(packet(0x36, field("t") + b"\x00\x01" + client.props(())))
        client.ends_with(0x81)


def dup_at_qos_0_ends_the_connection(a):
    for version in (4, 5):
        client = Client(a, version).connect(f"dup0-{version}")
        client.send(packet(0x38, field("t") + client.props(())))
        client.ends_with(0x81)


def dup_is_not_handed_on(a):
    for version in VERSIONS:
        subscriber, sender, topic = pair(a, "dup", version)
        for qos in (1, 2):
            sender.publish(topic, "x", qos=qos, dup=True)
            assert not subscriber.message().dup


def qos_1_is_new_after_its_puback(a):
    for version in VERSIONS:
        subscriber, sender, topic = pair(a, "again", version)
        for dup in (False, True):
            sender.send(sender.publish_bytes(topic, "x", qos=1, packet_id=7, dup=dup))
            assert sender.expect(PUBACK).id == 7
            assert subscriber.message().payload == b"x"


def qos_2_arrives_once_however_often_it_is_sent(a):
    for version in VERSIONS:
        subscriber, sender, topic = pair(a, "once", version)
        for dup in (False, True, True):
            sender.send(sender.publish_bytes(topic, "x", qos=2, packet_id=7, dup=dup))
            assert sender.expect(PUBREC).id == 7
        sender.ack(PUBREL, 7)
        sender.expect(PUBCOMP)
        assert subscriber.message().payload == b"x"
        subscriber.ping()
        sender.publish(topic, "y", qos=2, packet_id=7)  # After PUBCOMP the id is new.
        assert subscriber.message().payload == b"y"


def qos_2_arrives_once_over_a_reconnect(a):
    for version in VERSIONS:
        subscriber, _, topic = pair(a, "reconnect", version)
        props = (("session_expiry", 600),) if version == 5 else ()
        sender = Client(a, version).connect(f"reconnect-{version}", clean=False, props=props)
        sender.send(sender.publish_bytes(topic, "x", qos=2, packet_id=9))
        sender.expect(PUBREC)
        sender.drop()
        sender = Client(a, version).connect(f"reconnect-{version}", clean=False, props=props)
        sender.publish(topic, "x", qos=2, packet_id=9, dup=True)
        assert subscriber.message().payload == b"x"
        subscriber.ping()


def unknown_pubrel_is_answered(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"pubrel-{version}")
        client.ack(PUBREL, 77)
        got = client.expect(PUBCOMP)
        assert got.id == 77 and got.reason == (0x92 if version == 5 else 0)


def unacknowledged_is_sent_again_on_reconnect_only_and_in_order(a):
    for version in VERSIONS:
        props = (("session_expiry", 600),) if version == 5 else ()
        client = Client(a, version).connect(f"resend-{version}", clean=False, props=props)
        client.subscribe((f"resend/{version}", 2))
        sender = Client(a, version).connect(f"resend-sender-{version}")
        for text, qos in (("a", 1), ("b", 2), ("c", 1), ("d", 2)):
            sender.publish(f"resend/{version}", text, qos=qos)
        first = [client.message(acknowledge=False) for _ in range(4)]
        assert len({got.id for got in first}) == 4
        client.ack(PUBREC, first[1].id)
        client.expect(PUBREL)
        client.ping()  # Nothing is sent again while the connection stands.
        client.drop()
        client = Client(a, version).connect(f"resend-{version}", clean=False, props=props)
        again = client.expect(PUBLISH)
        assert (again.payload, again.id, again.dup) == (b"a", first[0].id, True)
        assert client.expect(PUBREL).id == first[1].id  # The PUBLISH is not sent again.
        for before in first[2:]:
            got = client.expect(PUBLISH)
            assert (got.payload, got.id, got.dup, got.qos) == (before.payload, before.id, True, before.qos)
        client.disconnect()


def order_is_kept(a):
    for version in VERSIONS:
        for qos in (0, 1, 2):
            subscriber, sender, topic = pair(a, f"order-{qos}", version, qos)
            for number in range(50):
                sender.publish(topic, str(number), qos=qos)
            assert [subscriber.message(acknowledge=False).payload for _ in range(50)] == [str(number).encode() for number in range(50)]


def acknowledgements_keep_the_order_of_publishes(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"acks-{version}")
        for kind, qos in ((PUBACK, 1), (PUBREC, 2)):
            client.send(b"".join(client.publish_bytes("acks", qos=qos, packet_id=number) for number in range(1, 11)))
            assert [client.expect(kind).id for _ in range(10)] == list(range(1, 11))
            if qos == 2:
                for number in range(1, 11):
                    client.ack(PUBREL, number)
                assert [client.expect(PUBCOMP).id for _ in range(10)] == list(range(1, 11))


def pubrels_follow_the_order_of_pubrecs(a):
    for version in VERSIONS:
        subscriber, sender, topic = pair(a, "pubrels", version)
        for _ in range(3):
            sender.publish(topic, "x", qos=2)
        ids = [subscriber.message(acknowledge=False).id for _ in range(3)]
        for number in reversed(ids):
            subscriber.ack(PUBREC, number)
        assert [subscriber.expect(PUBREL).id for _ in range(3)] == ids[::-1]


def topics_must_be_valid(a):
    for version in VERSIONS:
        for topic in (b"a/+", b"#", b"a/#/b", b"a\x00b", b"\xED\xA0\x80"):
            client = Client(a, version).connect(f"topics-{version}")
            client.send(packet(0x30, field(topic) + client.props(())))
            client.ends_with(0x81)
    for version in (3, 4):
        client = Client(a, version).connect(f"topics-{version}")
        client.send(packet(0x30, field("") + b"x"))
        client.ends_with(0x81)
    client = Client(a).connect("topics-5")
    client.send(packet(0x30, field("") + b"\x00x"))  # Neither a topic nor an alias.
    client.ends_with(0x82)


def filters_must_be_valid(a):
    for version in VERSIONS:
        for text in (b"", b"a#", b"#/a", b"a/#/b", b"a+", b"+a/b", b"a\x00", b"\xFF"):
            for first, tail in ((0x82, b"\x00"), (0xA2, b"")):
                client = Client(a, version).connect(f"filters-{version}")
                client.send(packet(first, b"\x00\x01" + client.props(()) + field(text) + tail))
                client.ends_with(0x81)
        for first in (0x82, 0xA2):  # Without any.
            client = Client(a, version).connect(f"filters-{version}")
            client.send(packet(first, b"\x00\x01" + client.props(())))
            client.ends_with(0x81)


def subscription_options_must_be_valid(a):
    for version, options in ((4, 0x04), (4, 0x80), (4, 3), (5, 0xC0), (5, 0x40), (5, 3), (5, 0x30)):
        client = Client(a, version).connect(f"options-{version}")
        client.send(client.subscribe_bytes(("t", options), packet_id=1))
        client.ends_with(0x81)


def longest_topic_is_taken(a):
    for version in VERSIONS:
        topic = f"long-{version}/" + "x" * (65535 - 7)
        client = Client(a, version).connect(f"long-{version}")
        assert client.subscribe(topic) == [0]
        client.publish(topic, "x")
        assert client.message().topic == topic


def wildcards_match_levels(a):
    for version in VERSIONS:
        top = f"wild{version}"
        cases = ((f"{top}/+", ["a", "$b"], ["a/b", ""][:1]), (f"{top}/#", ["", "a", "a/b"], []), (f"{top}/+/c", ["a/c", "/c"], ["a/b/c"]),
                 (f"{top}/A", ["A"], ["a", "A/", " A"]))
        sender = Client(a, version).connect(f"wild-{version}")
        for index, (text, matching, others) in enumerate(cases):
            client = Client(a, version).connect(f"wild-{version}-{index}")
            client.subscribe(text)
            for name in others + matching:
                sender.publish(f"{top}/{name}" if name else top, "x")
            for name in matching:
                assert client.message().topic == (f"{top}/{name}" if name else top)
            sender.ping()
            client.ping()


def dollar_topics_are_hidden_from_wildcards(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"dollar-{version}")
        client.subscribe("#", "+/dollar", f"$dollar/{version}")
        sender = Client(a, version).connect(f"dollar-sender-{version}")
        sender.publish(f"$dollar/{version}", "x")
        sender.publish("$other/dollar", "x")
        while (got := client.message()).topic != f"$dollar/{version}":
            assert not got.topic.startswith("$"), got


def sys_topics_are_the_servers(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"sys-{version}")
        client.subscribe("$SYS/broker/version", "$SYS/mine")
        assert client.message().payload.startswith(b"cloud_server version")
        for qos in (0, 1, 2):
            assert client.publish("$SYS/mine", "x", qos=qos) == (0x87 if version == 5 and qos else 0)
        client.ping()


def retained_is_kept_replaced_and_cleared(a):
    for version in VERSIONS:
        topic = f"retained/{version}"
        sender = Client(a, version).connect(f"retained-{version}")
        live = Client(a, version).connect(f"retained-live-{version}")
        live.subscribe((topic, 1))
        for text in ("first", "second"):
            sender.publish(topic, text, retain=True, qos=1)
            assert not live.message().retain  # An established subscription.
        sender.publish(topic, "not kept")
        live.message()
        late = Client(a, version).connect(f"retained-late-{version}")
        late.subscribe((topic, 1))
        got = late.message()
        assert (got.payload, got.retain, got.qos) == (b"second", True, 1)
        late.ping()
        sender.publish(topic, "", retain=True)
        assert live.message().payload == b""  # Processed as any other.
        last = Client(a, version).connect(f"retained-last-{version}")
        last.subscribe(topic)
        last.ping()


def subscribing_again_sends_retained_again_and_loses_nothing(a):
    for version in VERSIONS:
        topic = f"resub/{version}"
        client = Client(a, version).connect(f"resub-{version}")
        client.publish(topic, "kept", retain=True, qos=1)
        for _ in range(2):
            client.subscribe((topic, 1))
            assert client.message().payload == b"kept"
        client.publish(topic, "live")
        assert client.message().payload == b"live"  # Once: the subscription was replaced.
        client.ping()


def retain_handling_chooses(a):
    Client(a).connect().publish("handling", "kept", retain=True, qos=1)
    client = Client(a).connect("handling")
    client.subscribe(("handling", 0x20))
    client.ping()
    client.subscribe(("handling", 0x10))  # Exists already.
    client.ping()
    client.unsubscribe("handling")
    client.subscribe(("handling", 0x10))
    assert client.message().retain
    client.subscribe(("handling", 0x00))
    assert client.message().retain
    client.ping()


def retain_as_published_keeps_the_flag(a):
    sender = Client(a).connect("as-published-sender")
    for name, options, expected in (("plain", 0, False), ("kept", 8, True)):
        client = Client(a).connect(f"as-published-{name}")
        client.subscribe(("as-published", options | 0x20))
        sender.publish("as-published", "x", retain=True)
        assert client.message().retain is expected
        sender.publish("as-published", "x")
        assert not client.message().retain


def no_local_spares_the_publisher(a):
    client = Client(a).connect("local")
    client.subscribe(("local", 4))
    client.publish("local", "x", qos=1)
    client.publish("local", "x")
    Client(a).connect("local-other").publish("local", "y")
    assert client.message().payload == b"y"


def overlapping_subscriptions_give_one_copy_at_the_highest_qos(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"overlap-{version}")
        assert client.subscribe((f"overlap/{version}", 0), ("overlap/+/#", 2), (f"overlap/{version}/#", 1)) == [0, 2, 1]
        Client(a, version).connect(f"overlap-sender-{version}").publish(f"overlap/{version}", "x", qos=2)
        assert client.message().qos == 2
        client.ping()


def several_filters_are_answered_in_order(a):
    for version in VERSIONS:
        client = Client(a, version).connect(f"several-{version}")
        deep = "/".join("x" * 201)
        refused = 0x8F if version == 5 else 0x80
        assert client.subscribe(("a", 2), (deep, 0), ("b", 1), ("c", 0)) == [2, refused, 1, 0]
        codes = client.unsubscribe("c", "none", "a")
        assert codes == ([0, 0x11, 0] if version == 5 else [])


def unsubscribing_stops_new_messages_and_completes_old_ones(a):
    for version in VERSIONS:
        subscriber, sender, topic = pair(a, "stops", version)
        sender.publish(topic, "started", qos=2)
        got = subscriber.message(acknowledge=False)
        subscriber.unsubscribe("stops/+")  # Another filter, although it would match: nothing is deleted.
        sender.publish(topic, "still", qos=0)
        assert subscriber.message().payload == b"still"
        subscriber.unsubscribe(topic)
        sender.publish(topic, "late", qos=0)
        sender.ping()
        subscriber.ack(PUBREC, got.id)
        assert subscriber.expect(PUBREL).id == got.id
        subscriber.ack(PUBCOMP, got.id)
        subscriber.ping()


def properties_pass_unaltered_and_in_order(a):
    subscriber, sender, topic = pair(a, "props", 5, 1)
    sent = [("payload_format", 1), ("content_type", "text/plain"), ("user", ("z", "1")), ("response_topic", "answers"),
            ("user", ("a", "2")), ("correlation_data", b"\x00\xFF"), ("user", ("z", "1"))]
    expected = [(name, value.encode() if isinstance(value, str) else value) for name, value in sent]
    for qos in (0, 1):
        sender.publish(topic, "x", qos=qos, props=sent)
        assert subscriber.message().properties == expected
    sender.publish(topic, "kept", qos=1, retain=True, props=sent)
    assert subscriber.message().properties == expected
    late = Client(a).connect("props-late")
    late.subscribe(topic)
    assert late.message().properties == expected
    old = Client(a, 4).connect("props-old")  # An older client gets the message without them.
    old.subscribe(topic)
    assert old.message().payload == b"kept"


def response_topic_must_be_a_topic(a):
    client = Client(a).connect("response")
    client.send(client.publish_bytes("t", props=[("response_topic", "a/#")]))
    client.ends_with(0x82)
    for name in ("response_topic", "content_type"):
        client = Client(a).connect("response")
        client.send(client.publish_bytes("t", props=[(name, b"\xFF")]))
        client.ends_with(0x81)
    client = Client(a).connect("response")
    client.send(client.publish_bytes("t", props=[("user", (b"a", b"\xFF"))]))
    client.ends_with(0x81)


def message_expiry_counts_down_and_ends(a):
    client = Client(a).connect("message-expiry", clean=False, props=[("session_expiry", 600)])
    client.subscribe(("message-expiry", 1))
    client.disconnect()
    sender = Client(a).connect("message-expiry-sender")
    sender.publish("message-expiry", "short", qos=1, props=[("message_expiry", 1)])
    sender.publish("message-expiry", "long", qos=1, props=[("message_expiry", 100)])
    sender.publish("message-expiry", "kept", retain=True, qos=1, props=[("message_expiry", 1)])
    watcher = Client(a).connect("message-expiry-watcher")
    watcher.subscribe("message-expiry-clock")
    Client(a).connect(props=[("session_expiry", 60)], will={"topic": "message-expiry-clock", "props": [("will_delay", 2)]}).drop()
    watcher.message()
    client = Client(a).connect("message-expiry", clean=False)
    got = client.message()
    assert got.payload == b"long" and 90 <= got.get("message_expiry") <= 98, got
    client.ping()
    late = Client(a).connect("message-expiry-late")
    late.subscribe("message-expiry")
    late.ping()


def message_that_was_sent_does_not_expire(a):
    client = Client(a).connect("sent-expiry", clean=False, props=[("session_expiry", 600)])
    client.subscribe(("sent-expiry", 2))
    Client(a).connect().publish("sent-expiry", "x", qos=2, props=[("message_expiry", 1)])
    first = client.message(acknowledge=False)
    client.drop()
    watcher = Client(a).connect("sent-expiry-watcher")
    watcher.subscribe("sent-expiry-clock")
    Client(a).connect(props=[("session_expiry", 60)], will={"topic": "sent-expiry-clock", "props": [("will_delay", 2)]}).drop()
    watcher.message()
    client = Client(a).connect("sent-expiry", clean=False)
    again = client.message()
    assert again.id == first.id and again.dup


def aliases_of_a_client_stand_for_topics(a):
    subscriber, sender, topic = pair(a, "alias", 5, 1)
    for alias in (1, 10):
        sender.publish(topic, "set", props=[("topic_alias", alias)])
        sender.publish("", "used", qos=1, props=[("topic_alias", alias)])
        assert [subscriber.message().topic for _ in range(2)] == [topic, topic]
    sender.publish("alias/other", "moved", props=[("topic_alias", 1)])
    sender.publish("", "elsewhere", props=[("topic_alias", 1)])
    sender.ping()
    subscriber.ping()
    for alias in (0, 11):
        client = Client(a).connect("alias-wrong")
        client.send(client.publish_bytes("t", props=[("topic_alias", alias)]))
        client.ends_with(0x94)
    client = Client(a).connect("alias-unset", clean=False, props=[("session_expiry", 60)])
    client.publish("alias-unset", props=[("topic_alias", 3)])
    client.ping()
    client.drop()
    client = Client(a).connect("alias-unset", clean=False)
    client.send(client.publish_bytes("", props=[("topic_alias", 3)]))  # Of the connection before.
    client.ends_with(0x82)


def aliases_to_a_client_stay_within_its_maximum(a):
    sender = Client(a).connect("alias-sender")
    client = Client(a).connect("alias-out", props=[("topic_alias_maximum", 2)])
    client.subscribe("alias-out/#")
    topics = {}
    for _ in range(2):
        for name in ("a", "b", "c"):
            sender.publish(f"alias-out/{name}", name)
            got = client.message()
            alias = got.get("topic_alias")
            if alias:
                assert 1 <= alias <= 2
                if got.topic:
                    topics[alias] = got.topic
            assert (got.topic or topics[alias]) == f"alias-out/{name}"
    assert len(topics) == 2
    none = Client(a).connect("alias-none")
    none.subscribe("alias-out/#")
    sender.publish("alias-out/a", "x")
    assert none.message().get("topic_alias") is None


def subscription_identifiers_of_all_matching_filters_come_along(a):
    client = Client(a).connect("sub-ids")
    client.subscribe(("sub-ids/a", 1), props=[("subscription_id", 1)])
    client.subscribe(("sub-ids/+", 0), props=[("subscription_id", 268435455)])
    client.subscribe(("sub-ids/#", 0))
    sender = Client(a).connect("sub-ids-sender")
    for qos in (0, 1):
        sender.publish("sub-ids/a", "x", qos=qos, retain=True)
        assert sorted(client.message().get("subscription_id")) == [1, 268435455]
    client.subscribe(("sub-ids/a", 0), props=[("subscription_id", 5)])
    assert client.message().get("subscription_id") == 5  # The retained one.
    client.subscribe(("sub-ids/a", 0x20))  # Replaced by one without.
    client.unsubscribe("sub-ids/+")
    sender.publish("sub-ids/a", "x")
    assert client.message().get("subscription_id") is None


def subscription_identifier_in_a_clients_publish_is_an_error(a):
    client = Client(a).connect("own-sub-id")
    client.send(client.publish_bytes("own-sub-id", props=[("subscription_id", 1)]))
    got = client.expect(DISCONNECT)
    assert got.reason in (0x81, 0x82)
    client.wait_closed()


def nobody_subscribed_is_said(a):
    client = Client(a).connect("nobody")
    assert client.publish("nobody/there", "x", qos=1) == 0x10
    assert client.publish("nobody/there", "x", qos=2) == 0x10
    client.subscribe("nobody/there")
    client.send(client.publish_bytes("nobody/there", "x", qos=1))
    got = {client.receive().type, client.receive().type}
    assert got == {PUBACK, PUBLISH}


def receive_maximum_of_the_client_is_kept(a):
    client = Client(a).connect("quota", props=[("receive_maximum", 2)])
    client.subscribe(("quota", 2))
    sender = Client(a).connect("quota-sender")
    for number in range(4):
        sender.publish("quota", str(number), qos=1 + number % 2)
    sender.publish("quota", "free")  # QoS 0 is not held back.
    first, second = client.message(acknowledge=False), client.message(acknowledge=False)
    assert client.message().payload == b"free"
    client.ping()  # Other packets go on while the quota is used up.
    assert client.subscribe("quota/other") == [0]
    client.ack(PUBREC, second.id)
    client.expect(PUBREL)
    client.ping()  # A PUBREC alone gives nothing back.
    client.ack(PUBCOMP, second.id)
    third = client.message(acknowledge=False)
    assert third.payload == b"2"
    client.ack(PUBACK, first.id)
    fourth = client.message(acknowledge=False)
    client.ack(PUBREC, fourth.id, 0x80)  # An error ends the exchange.
    sender.publish("quota", "4", qos=1)
    assert client.message().payload == b"4"


def more_than_our_receive_maximum_ends_the_connection(a):
    client = Client(a).connect("flood")
    for number in range(1, 21):
        client.send(client.publish_bytes("flood", qos=2, packet_id=number))
        client.expect(PUBREC)
    client.send(client.publish_bytes("flood", qos=2, packet_id=21))
    client.ends_with(0x93)


def refused_messages_are_not_sent_again(a):
    client = Client(a).connect("refuses", clean=False, props=[("session_expiry", 600)])
    client.subscribe(("refuses", 2))
    sender = Client(a).connect("refuses-sender")
    for qos, kind in ((1, PUBACK), (2, PUBREC)):
        sender.publish("refuses", "x", qos=qos)
        client.ack(kind, client.message(acknowledge=False).id, 0x83)
    client.ping()
    client.drop()
    client = Client(a).connect("refuses", clean=False)
    client.ping()


def acknowledgements_may_carry_only_their_reasons(a):
    for kind, reason in ((PUBACK, 0x92), (PUBREC, 0x04), (PUBREL, 0x10), (PUBCOMP, 0x80)):
        client = Client(a).connect("reasons")
        client.ack(kind, 1, reason)
        client.ends_with(0x82)
    client = Client(a).connect("reasons")
    client.send(packet(0xE0, b"\x01"))
    client.ends_with(0x82)


def shares_take_turns(a):
    for version in VERSIONS:
        name = f"$share/group/turns/{version}"
        members = [Client(a, version).connect(f"turns-{version}-{number}") for number in range(3)]
        for client in members:
            client.subscribe((name, 1))
        other = Client(a, version).connect(f"turns-other-{version}")
        other.subscribe((f"$share/else/turns/{version}", 0), (f"turns/{version}", 0))
        sender = Client(a, version).connect(f"turns-sender-{version}")
        for number in range(9):
            sender.publish(f"turns/{version}", str(number), qos=1 if number % 2 else 0)
        for client in members:
            for _ in range(3):
                client.message()
            client.ping()
        for _ in range(18):  # Its own share and its plain subscription: each gets all.
            other.message()
        other.ping()


def shares_get_nothing_retained_and_respect_their_qos(a):
    sender = Client(a).connect("share-qos-sender")
    sender.publish("share-qos", "kept", retain=True, qos=1)
    client = Client(a).connect("share-qos")
    client.subscribe(("$share/g/share-qos", 1), props=[("subscription_id", 9)])
    client.ping()
    sender.publish("share-qos", "x", qos=2)
    got = client.message()
    assert (got.qos, got.get("subscription_id")) == (1, 9)


def shares_prefer_those_who_are_there(a):
    away = Client(a).connect("share-away", clean=False, props=[("session_expiry", 600)])
    away.subscribe(("$share/g/share-there", 1))
    here = Client(a).connect("share-here")
    here.subscribe(("$share/g/share-there", 1))
    away.disconnect()
    sender = Client(a).connect("share-there-sender")
    for number in range(4):
        sender.publish("share-there", str(number), qos=1)
        assert here.message().payload == str(number).encode()
    here.disconnect()
    sender.publish("share-there", "kept", qos=1)
    away = Client(a).connect("share-away", clean=False)
    assert away.message().payload == b"kept"


def unsent_turns_go_to_another_member(a):
    first = Client(a).connect("share-leaves", props=[("receive_maximum", 1)])
    first.subscribe(("$share/g/share-left", 1))
    sender = Client(a).connect("share-left-sender")
    for number in range(3):
        sender.publish("share-left", str(number), qos=1)
    assert first.message(acknowledge=False).payload == b"0"
    second = Client(a).connect("share-stays")
    second.subscribe(("$share/g/share-left", 1))
    first.unsubscribe("$share/g/share-left")
    assert [second.message().payload for _ in range(2)] == [b"1", b"2"]
    first.disconnect()
    second.ping()


def started_qos_2_turn_stays_with_its_member(a):
    first = Client(a).connect("share-qos2", clean=False, props=[("session_expiry", 600)])
    second = Client(a).connect("share-qos2-other")
    first.subscribe(("$share/g/share-qos2", 2))
    Client(a).connect("share-qos2-sender").publish("share-qos2", "x", qos=2)
    started = first.message(acknowledge=False)
    second.subscribe(("$share/g/share-qos2", 2))
    first.drop()
    first = Client(a).connect("share-qos2", clean=False)
    again = first.message()
    assert again.id == started.id and again.dup
    second.ping()
    ended = Client(a).connect("share-qos2-ends")
    ended.subscribe(("$share/h/share-qos2-ends", 2))
    Client(a).connect("share-qos2-sender").publish("share-qos2-ends", "z", qos=2)
    ended.message(acknowledge=False)
    third = Client(a).connect("share-qos2-third")
    third.subscribe(("$share/h/share-qos2-ends", 2))
    ended.disconnect()
    third.ping()


def refused_turn_is_not_passed_on(a):
    first = Client(a).connect("share-refuses")
    first.subscribe(("$share/g/share-refused", 1))
    Client(a).connect("share-refused-sender").publish("share-refused", "x", qos=1)
    got = first.message(acknowledge=False)
    second = Client(a).connect("share-refused-other")
    second.subscribe(("$share/g/share-refused", 1))
    first.ack(PUBACK, got.id, 0x80)
    first.ping()
    second.ping()


def malformed_shares_end_the_connection(a):
    for text in ("$share/g", "$share//t", "$share/g/", "$share/+/t"):
        client = Client(a).connect("bad-share")
        client.send(client.subscribe_bytes(text, packet_id=1))
        got = client.expect(DISCONNECT)
        assert got.reason in (0x81, 0x82), got
        client.wait_closed()
    client = Client(a).connect("bad-share")
    client.send(client.subscribe_bytes(("$share/g/t", 4), packet_id=1))
    client.ends_with(0x82)


def problem_information_is_withheld(a):
    client = Client(a).connect("problem", props=[("request_problem_info", 0)])
    deep = "/".join("x" * 201)
    client.send(client.subscribe_bytes(deep, packet_id=1))
    got = client.expect(SUBACK)
    assert got.properties == [] and got.codes == [0x8F]
    client.publish("$SYS/x", qos=1)


def versions_exchange_messages(a):
    clients = {version: Client(a, version).connect(f"mixed-{version}") for version in VERSIONS}
    for client in clients.values():
        client.subscribe(("mixed", 2))
    for version, sender in clients.items():
        for qos in (0, 1, 2):
            Client(a, version).connect(f"mixed-sender-{version}").publish("mixed", f"{version} {qos}", qos=qos)
            for client in clients.values():
                got = client.message()
                assert (got.payload, got.qos) == (f"{version} {qos}".encode(), qos)
