"""A real archive for tests: Orthanc on loopback, on free ports, with DICOMweb."""

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

PROGRAM = shutil.which("Orthanc", path=f"/usr/sbin{os.pathsep}{os.environ.get('PATH', '')}")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


class Orthanc:
    """An archive with its store in a folder; it may be stopped and started again."""

    def __init__(self, folder: Path, users: Mapping[str, str] | None = None) -> None:
        self.http, self.dicom, self.ours = free_port(), free_port(), free_port()
        self._folder = folder
        settings = {
            "Name": "test", "StorageDirectory": str(folder / "store"), "IndexDirectory": str(folder / "store"),
            "HttpPort": self.http, "DicomPort": self.dicom, "RemoteAccessAllowed": False, "DicomAet": "ORTHANC",
            "AuthenticationEnabled": bool(users), "RegisteredUsers": users or {}, "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "DicomModalities": {"sonoseg": ["SONOSEG", "127.0.0.1", self.ours]},
        }  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    @property
    def web(self) -> str:
        return f"{self.url}/dicom-web"

    def start(self) -> None:
        assert PROGRAM
        log = (self._folder / "log.txt").open("ab")
        self._process = subprocess.Popen([PROGRAM, str(self._folder / "orthanc.json")], stdout=log, stderr=log)
        log.close()
        for _ in range(300):
            try:
                if requests.get(f"{self.url}/system", timeout=1).status_code in {200, 401}:
                    return
            except requests.RequestException:
                pass
            time.sleep(0.1)
        self.stop()
        pytest.fail((self._folder / "log.txt").read_text()[-2000:])

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait(20)

    def get(self, path: str) -> list[str]:
        return list(requests.get(f"{self.url}{path}", timeout=10).json())

    def instances(self, modality: str) -> list[str]:
        """What it holds of a modality."""
        wanted = {"Level": "Instance", "Query": {"Modality": modality}}
        return list(requests.post(f"{self.url}/tools/find", json=wanted, timeout=10).json())

    def content(self, instance: str) -> bytes:
        return requests.get(f"{self.url}/instances/{instance}/file", timeout=10).content


@contextmanager
def running(folder: Path, users: Mapping[str, str] | None = None) -> Iterator[Orthanc]:
    """An archive while the block runs; the test skips where Orthanc is not installed. users: passwords by name."""
    if not PROGRAM or not PLUGIN.exists():
        pytest.skip("Orthanc is not installed (Debian: orthanc and orthanc-dicomweb)")
    archive = Orthanc(folder, users)
    archive.start()
    try:
        yield archive
    finally:
        archive.kill()
