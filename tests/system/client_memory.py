"""How much memory the agent needs, of the release build: that is what is installed, and sanitizers add their own."""

import pathlib
import re

import client_tls
import harness
import mosquitto

RELEASE = harness.ROOT / "build/release/bin/cloud_client"
PLAIN_KB, TLS_KB = 4096, 9216


def resident_kb(program: harness.Program) -> int:
    status = pathlib.Path(f"/proc/{program.pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.M).group(1))


def agent_kb(bench: harness.Bench, server: str, *flags) -> int:
    config = bench.dir / "agent.toml"
    config.write_text('interval = "100ms"\n[[file]]\nname = "uptime2"\npath = "/proc/sys/kernel/pid_max"\n'
                      '[[command]]\nname = "one"\nrun = ["echo", "1"]\n')
    agent = bench.start(RELEASE, "agent", "--config", config, "--server", server, "--id", "box", "--spool",
                        bench.dir / "spool", *flags)
    agent.ready()
    reader = harness.run_program("cloud_client", "sub", "--server", server, "--topic", "telemetry/box/#", "--count", "100", *flags)
    assert reader.returncode == 0, reader
    kilobytes = resident_kb(agent)
    agent.stop()
    return kilobytes


def main():
    if not RELEASE.exists():
        harness.skip(f"{RELEASE} is not built; ./check builds it")
    with harness.Bench() as bench:
        client_tls.make_certificates(bench)
        _, port = mosquitto.start(bench)
        plain = agent_kb(bench, f"mqtt://127.0.0.1:{port}")
        _, port = mosquitto.start(bench, f"cafile {bench.dir}/ca.pem", f"certfile {bench.dir}/server.pem",
                                  f"keyfile {bench.dir}/server.key", "allow_anonymous true")
        tls = agent_kb(bench, f"mqtts://localhost:{port}", "--tls-ca", bench.dir / "ca.pem")
    print(f"agent's memory: {plain} kB, with TLS {tls} kB")
    assert plain < PLAIN_KB and tls < TLS_KB, (plain, tls)


if __name__ == "__main__":
    harness.run(main)
