"""Certificates of a test's own, made with the openssl command."""

import pathlib
import subprocess

import harness

LOOPBACK = "DNS:localhost,IP:127.0.0.1,IP:::1"


class Authority:
    """NAME.pem in `folder` signs what it issues."""

    def __init__(self, folder: pathlib.Path, name: str = "ca"):
        self.folder = folder
        self.name = name
        self.openssl("req", "-x509", *self.new_key(name), "-out", self.path(f"{name}.pem"), "-days", "2", "-subj", f"/CN={name}")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def new_key(self, name: str):
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.path(f"{name}.key"))

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, timeout=harness.DEADLINE_S)

    def issue(self, name: str, as_name: str = "", hosts: str = LOOPBACK, days: int = 2):
        """Writes NAME.pem and NAME.key, or under `as_name`; with `days` below 0 it has expired."""
        file = as_name or name
        self.openssl("req", *self.new_key(file), "-out", self.path("request"), "-subj", f"/CN={name}",
                     "-addext", f"subjectAltName={hosts}")
        self.openssl("x509", "-req", "-in", self.path("request"), "-CA", self.path(f"{self.name}.pem"),
                     "-CAkey", self.path(f"{self.name}.key"), "-CAcreateserial", "-copy_extensions", "copy",
                     "-days", str(days), "-out", self.path(f"{file}.pem"))
