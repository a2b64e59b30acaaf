"""The index, proxy and CA that an install goes through, each with the case where it must fail."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.slow

each_installer = pytest.mark.parametrize("checkout", ["uv", "pip"], indirect=True)


@pytest.fixture
def proxy(index) -> Iterator[str]:
    """The address of an HTTP proxy that alone knows where index.test is."""

    class Tunnel(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline().strip():
                pass
            with socket.create_connection(("127.0.0.1", index.port)) as far:
                self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pump, args=(far, self.connection))
                back.start()
                pump(self.connection, far)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnel) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy bytes until ``source`` ends, then say so to ``sink``."""
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()  # the other side hung up: so does this one


def complaint(result) -> str:
    """The one sentence that a failed install says."""
    assert result.returncode != 0, result.stderr
    said = [line for line in result.stderr.splitlines() if line.startswith("install: ")]
    assert len(said) == 1, result.stderr
    assert "Traceback" not in result.stderr
    return said[0]


@each_installer
def test_packages_come_from_the_private_index(checkout):
    assert checkout.make("install").returncode == 0
    assert any(path.endswith("alpha-1.0-py3-none-any.whl") for path in checkout.index.requests)


@each_installer
def test_a_ca_that_is_not_named_is_not_trusted(checkout):
    del checkout.environment["SSL_CERT_FILE"]
    assert "SSL_CERT_FILE" in complaint(checkout.make("install"))


def test_pips_own_name_for_the_ca_counts_too(checkout):
    checkout.environment["PIP_CERT"] = checkout.environment.pop("SSL_CERT_FILE")
    assert checkout.make("install").returncode == 0


@each_installer
def test_credentials_in_the_address_are_used_and_missing_ones_named(checkout):
    checkout.index.credentials = "reader:p$w"
    assert "credentials" in complaint(checkout.make("install"))
    url = checkout.index.url.replace("://", "://reader:p%24w@")
    assert checkout.make("install", PIP_INDEX_URL=url).returncode == 0


def test_a_second_index_is_searched_for_what_the_first_lacks(checkout):
    first = checkout.index.url.replace("/simple/", "/empty/")
    (checkout.index.folder / "empty").mkdir()
    result = checkout.make("install", PIP_INDEX_URL=first, PIP_EXTRA_INDEX_URL=checkout.index.url)
    assert result.returncode == 0, result.stderr


def test_a_folder_of_wheels_will_do(checkout):
    folder = checkout.index.folder / "simple/alpha"
    result = checkout.make("install", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(folder))
    assert result.returncode == 0, result.stderr
    assert checkout.index.requests == []


@each_installer
def test_the_proxy_is_used(checkout, proxy):
    url = f"https://index.test:{checkout.index.port}/simple/"
    assert "cannot be reached" in complaint(checkout.make("install", PIP_INDEX_URL=url))
    assert checkout.make("install", PIP_INDEX_URL=url, HTTPS_PROXY=proxy).returncode == 0


@each_installer
def test_no_proxy_is_honoured(checkout):
    dead = "http://127.0.0.1:1"
    assert "cannot be reached" in complaint(checkout.make("install", HTTPS_PROXY=dead))
    assert checkout.make("install", HTTPS_PROXY=dead, NO_PROXY="127.0.0.1").returncode == 0


@each_installer
def test_an_index_that_is_down_is_named(checkout):
    result = checkout.make("install", PIP_INDEX_URL="https://127.0.0.1:1/simple/")
    assert "cannot be reached" in complaint(result)


@each_installer
def test_a_file_that_is_not_the_locked_one_is_refused(checkout):
    wheel = checkout.index.folder / "simple/alpha/alpha-1.0-py3-none-any.whl"
    wheel.write_bytes((checkout.index.folder / "simple/alpha/alpha-1.1-py3-none-any.whl").read_bytes())
    assert "hash" in complaint(checkout.make("install"))


@each_installer
def test_a_lock_without_hashes_is_refused(checkout):
    (checkout.root / "requirements/local.txt").write_text("alpha==1.0\n")
    assert "hashes" in complaint(checkout.make("install")).lower()


@each_installer
def test_a_package_that_the_index_lacks_is_named(checkout):
    checkout.lock("local", "gamma==3.0")
    assert "gamma" in complaint(checkout.make("install"))
