"""How cloud_server starts, reloads, refuses and ends, as its user meets it."""

import signal
import stat

import harness


def main():
    with harness.Bench() as bench:
        config = bench.dir / "limits.toml"
        config.write_text("[limits]\nmax_connections = 10\n")
        server, address = bench.start_server("--config", config)
        data = bench.dir / "cloud_server"
        assert stat.S_IMODE(data.stat().st_mode) == 0o700, oct(data.stat().st_mode)

        other = ("--data-dir", bench.dir / "other", "--stats-file", bench.dir / "other.stats")
        taken = harness.run_program("cloud_server", "--listen", address, *other)
        assert taken.returncode == 1 and address in taken.stderr, taken
        assert f"in use by cloud_server (pid {server.pid})" in taken.stderr, taken.stderr

        shared = harness.run_program("cloud_server", "--listen", "127.0.0.1:0", "--data-dir", data, *other[2:])
        assert shared.returncode == 1 and f"(pid {server.pid})" in shared.stderr, shared

        config.write_text("[limits]\nmax_connections = 20\n")
        server.signal(signal.SIGHUP)
        server.wait_line(lambda line: "configuration reloaded" in line, "reload", stream="log")
        config.write_text("[limits]\nmax_connections = true\n")
        server.signal(signal.SIGHUP)
        server.wait_line(lambda line: "kept as it was" in line and "limits.toml:2:" in line, "refused reload", stream="log")

        checked = harness.run_program("cloud_server", "--config", config, "--check-config")
        assert checked.returncode == 2 and "limits.toml:2:" in checked.stderr, checked
        for flags, part in ((("--lisen", "x"), "--listen"), (("--listen", "nowhere"), "nowhere"), (("--log-level", "loud"), "loud")):
            wrong = harness.run_program("cloud_server", *flags)
            assert wrong.returncode == 2 and part in wrong.stderr, wrong

        server.stop()
        again, _ = bench.start_server()  # The folder and the stats segment are free again.
        again.kill()
        after_crash, _ = bench.start_server()
        after_crash.stop()


harness.run(main)
