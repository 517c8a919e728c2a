"""Every port that ./up uses. All are on loopback; where one is taken, the next free one is used."""

import socket

HOST = "127.0.0.1"
PORTS = {
    "mqtt": 1883,      # cloud_server
    "exporter": 9100,  # cloud_exporter
    "alertd": 9480,    # cloud_alertd: API and page
}
TRIES = 100  # How far behind a taken port the search goes.


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def choose() -> tuple[dict[str, int], list[str]]:
    """A free port for each name, and a sentence for each that is not the usual one."""
    chosen, said = {}, []
    for name, usual in PORTS.items():
        port = next((p for p in range(usual, usual + TRIES) if p not in chosen.values() and _is_free(p)), None)
        if port is None:
            raise SystemExit(f"./up: no free port for {name} from {usual} to {usual + TRIES - 1}")
        if port != usual:
            said.append(f"port {usual} ({name}) is taken; using {port}")
        chosen[name] = port
    return chosen, said
