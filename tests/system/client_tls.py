"""cloud_client over TLS, against cloud_server and Debian's mosquitto; with accounts, and from client to client, against the
latter."""

import subprocess

import harness
import mosquitto

PASSWD = "usr/bin/mosquitto_passwd"


def openssl(bench: harness.Bench, *arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=bench.dir, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def make_certificates(bench: harness.Bench):
    """ca.pem signs server.pem (for localhost only) and client.pem; other.pem is a CA that nobody knows."""
    for name in ("ca", "other"):
        openssl(bench, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    for name, extension in (("server", "subjectAltName=DNS:localhost"), ("client", "extendedKeyUsage=clientAuth")):
        openssl(bench, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (bench.dir / f"{name}.ext").write_text(extension + "\n")
        openssl(bench, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
    for key in bench.dir.glob("*.key"):
        key.chmod(0o600)


def pub(server: str, *flags):
    return harness.run_program("cloud_client", "pub", "--server", server, "--topic", "a", "--message", "secret", "--qos", "2",
                               "--retain", *flags)


def start_mosquitto(bench: harness.Bench) -> int:
    _, port = mosquitto.start(bench, f"cafile {bench.dir}/ca.pem", f"certfile {bench.dir}/server.pem",
                              f"keyfile {bench.dir}/server.key", "require_certificate true", "allow_anonymous true")
    return port


def start_cloud_server(bench: harness.Bench) -> int:
    config = bench.dir / "server.toml"
    config.write_text(f'[[listener]]\naddress = "127.0.0.1:0"\nprotocol = "mqtts"\n'
                      f'certificate_file = "{bench.dir}/server.pem"\nkey_file = "{bench.dir}/server.key"\n'
                      f'ca_file = "{bench.dir}/ca.pem"\nclient_certificates = "required"\n')
    server = bench.start("cloud_server", "--config", config, "--data-dir", bench.dir / "data", "--stats-file",
                         bench.stats_file("tls"))
    return int(server.ready()["mqtts"].rsplit(":", 1)[1])


def tls_is_checked_both_ways(bench: harness.Bench, port: int):
    server = f"mqtts://localhost:{port}"
    trust = ("--tls-ca", bench.dir / "ca.pem")
    own = ("--cert", bench.dir / "client.pem", "--key", bench.dir / "client.key")
    done = pub(server, *trust, *own)
    assert (done.returncode, done.stderr) == (0, ""), done
    got = harness.run_program("cloud_client", "sub", "--server", server, "--topic", "a", "--qos", "2", "--count", "1", *trust, *own)
    assert got.stdout == "secret\n", got
    for server_name, flags, expected in (
            (server, ("--tls-ca", bench.dir / "other.pem", *own), "certificate verify failed"),
            (f"mqtts://127.0.0.1:{port}", (*trust, *own), "certificate verify failed"),
            (server, trust, "127.0.0.1:"),  # The alert, or just the end, whichever is read first.
            (server, (*trust, "--cert", bench.dir / "client.pem", "--key", bench.dir / "server.key"), "server.key"),
            (f"mqtt://localhost:{port}", (), "127.0.0.1:")):
        done = pub(server_name, *flags)
        assert done.returncode == 1 and expected in done.stderr, (expected, done)
    (bench.dir / "client.key").chmod(0o644)
    done = pub(server, *trust, *own)
    assert done.returncode == 1 and "lets others read" in done.stderr, done
    (bench.dir / "client.key").chmod(0o600)


def accounts_are_asked_for(bench: harness.Bench):
    accounts, word = bench.dir / "accounts", bench.dir / "word"
    accounts.write_text("")
    accounts.chmod(0o600)
    subprocess.run([harness.peer("mosquitto", PASSWD), "-b", accounts, "ana", "right"], check=True, capture_output=True)
    _, port = mosquitto.start(bench, "allow_anonymous false", f"password_file {accounts}")
    server = f"mqtt://127.0.0.1:{port}"
    for password, code in (("right\n", 0), ("wrong\n", 1)):
        word.write_text(password)
        word.chmod(0o600)
        done = pub(server, "--user", "ana", "--password-file", word)
        assert done.returncode == code and ("not authorized (0x87)" in done.stderr) == (code == 1), done
    assert "code 5" in pub(server, "--mqtt-version", "3.1.1").stderr


def one_client_sends_to_another(bench: harness.Bench, address: str):
    server = f"mqtt://{address}"

    def send(to: str):
        return harness.run_program("cloud_client", "send", "--server", server, "--to", to, "--id", "my box", "--message", "hi")

    nobody = send("pump/7")
    assert nobody.returncode == 3 and nobody.stderr == "cloud_client: pump/7: no matching subscribers (1 packets)\n", nobody
    pump = bench.start("cloud_client", "sub", "--server", server, "--id", "pump/7", "--topic", "to/pump%2F7/+",
                       "--verbose", "--count", "1")
    harness.wait_for("the subscription", lambda: send("pump/7").returncode == 0)
    assert pump.wait() == 0 and pump.lines == ["to/pump%2F7/my%20box hi"], pump.output()


def main():
    with harness.Bench() as bench:
        make_certificates(bench)
        tls_is_checked_both_ways(bench, start_cloud_server(bench))
        tls_is_checked_both_ways(bench, start_mosquitto(bench))
        accounts_are_asked_for(bench)
        one_client_sends_to_another(bench, bench.start_server()[1])
        one_client_sends_to_another(bench, f"127.0.0.1:{mosquitto.start(bench)[1]}")


if __name__ == "__main__":
    harness.run(main)
