"""get_file keeps only complete, checked files, and unpacks archives without trusting them."""

import hashlib
import http.server
import io
import os
import stat
import tarfile
import threading
import zipfile

import pytest

from gazelle._core.errors import ArgumentError, DataError, DownloadError
from gazelle._files.archives import unpack
from gazelle.utils import get_file

pytestmark = pytest.mark.slow

CONTENT = b"a,b\n1,2\n" * 1000


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/gone":
            return self.send_error(404)
        self.send_response(200)
        body = b"<!DOCTYPE html><p>Sign in first" if self.path == "/page" else CONTENT
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.server.hits += 1  # before the body, since a test may read it as soon as that is there
        self.wfile.write(body[:100] if self.path == "/cut" else body)
        return None

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        server.hits = 0
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def address(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_file_is_fetched_once_and_checked(algorithm, server, address, tmp_path, capsys):
    digest = hashlib.new(algorithm, CONTENT).hexdigest()
    for _ in range(2):
        path = get_file(origin=f"{address}/data.csv?x=1", file_hash=digest, cache_dir=tmp_path)
        assert path == str(tmp_path / "datasets" / "data.csv")
    assert (tmp_path / "datasets" / "data.csv").read_bytes() == CONTENT
    assert server.hits == 1
    assert capsys.readouterr().err == "Downloading data.csv (0.0 MB)\n"
    get_file(origin=f"{address}/data.csv", cache_dir=tmp_path, force_download=True)
    assert server.hits == 2


def test_a_file_url_and_the_cache_of_gazelle(tmp_path, monkeypatch):
    monkeypatch.setenv("GAZELLE_HOME", str(tmp_path / "home"))
    (tmp_path / "my data.csv").write_bytes(CONTENT)
    path = get_file(origin=(tmp_path / "my data.csv").as_uri(), cache_subdir="tables")
    assert path == str(tmp_path / "home" / "tables" / "my data.csv")


def test_a_lost_connection_leaves_nothing(address, tmp_path):
    with pytest.raises(DownloadError, match=f"was lost after 100 of {len(CONTENT)} bytes"):
        get_file(origin=f"{address}/cut", cache_dir=tmp_path)
    assert files(tmp_path) == []


def test_a_file_with_another_hash_is_not_kept_and_the_old_one_stays(address, tmp_path):
    old = tmp_path / "datasets" / "page"
    old.parent.mkdir()
    old.write_bytes(b"old")
    with pytest.raises(DataError, match=r"wrong hash[\s\S]*expected: sha256 0000[\s\S]*web page"):
        get_file(origin=f"{address}/page", file_hash="0" * 64, cache_dir=tmp_path)
    assert old.read_bytes() == b"old"
    assert files(tmp_path) == ["page"]


def test_a_cached_file_with_another_hash_is_downloaded_again(address, tmp_path):
    old = tmp_path / "datasets" / "data.csv"
    old.parent.mkdir()
    old.write_bytes(CONTENT[:7])
    get_file(
        origin=f"{address}/data.csv", md5_hash=hashlib.md5(CONTENT).hexdigest(), cache_dir=tmp_path
    )
    assert old.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("end", "text"), [("/gone", "Not Found"), (":1/x", r"Could not download[\s\S]*fix")]
)
def test_an_unreachable_file_is_reported(end, text, address, tmp_path):
    origin = (address if end == "/gone" else "http://127.0.0.1") + end
    with pytest.raises(DownloadError, match=text):
        get_file(fname="x", origin=origin, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"origin": None}, "origin"),
        ({"origin": "ftp://a/b.csv"}, "scheme"),
        ({"origin": "https://a/b/.."}, "plain name"),
        ({"origin": "https://a/b%2F..%5Cc"}, "plain name"),
        ({"origin": "https://a/b", "fname": "../b"}, "plain name"),
        ({"origin": "https://a/"}, "plain name"),
        ({"origin": "https://a/b", "file_hash": "123"}, "length"),
        (
            {"origin": "https://a/b", "file_hash": "0" * 64, "hash_algorithm": "crc"},
            "hash_algorithm",
        ),
        ({"origin": "https://a/b", "archive_format": "rar"}, "archive_format"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_fetched(arguments, text, tmp_path):
    with pytest.raises(ArgumentError, match=text):
        get_file(cache_dir=tmp_path, **arguments)


def tar_of(path, *members):
    """An archive of members, each `(name, content)` or a `TarInfo`."""
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_of(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_an_archive_is_unpacked_and_used_again(pack, tmp_path):
    packed = pack(
        tmp_path / "flowers.bin", ("flowers/rose/1.txt", b"red"), ("flowers/read.me", CONTENT)
    )
    for argument in ({"extract": True}, {"untar": True}):
        folder = get_file(origin=packed.as_uri(), cache_dir=tmp_path / "cache", **argument)
        assert files(tmp_path / "cache" / "datasets" / "flowers.bin_extracted") == [
            "1.txt",
            "read.me",
        ]
        with open(os.path.join(folder, "flowers", "rose", "1.txt"), "rb") as file:
            assert file.read() == b"red"


def test_a_new_archive_is_unpacked_again(tmp_path):
    for content in (b"one", b"two"):
        packed = tar_of(tmp_path / "a.tgz", ("x", content))
        os.utime(packed, (0, 0))
        folder = get_file(
            origin=packed.as_uri(), cache_dir=tmp_path / "c", extract=True, force_download=True
        )
        with open(os.path.join(folder, "x"), "rb") as file:
            assert file.read() == content


HOSTILE_TARS = {
    "parent": [("good", b""), ("../evil", b"")],
    "absolute": [("/evil", b"")],
    "hidden parent": [("a/../../evil", b"")],
    "backslash": [("..\\evil", b"")],
    "drive": [("C:evil", b"")],
    "symbolic link": [special("link", tarfile.SYMTYPE, "..")],
    "hard link": [special("link", tarfile.LNKTYPE, "/etc/passwd")],
    "device": [special("null", tarfile.CHRTYPE)],
    "pipe": [special("pipe", tarfile.FIFOTYPE)],
    "the same name twice": [("a", b"1"), ("A", b"2")],
    "long name": [("a" * 1001, b"")],
    "bomb": [("zeros", bytes(80 << 20))],
}


@pytest.mark.parametrize("name", HOSTILE_TARS)
def test_a_hostile_tar_is_refused_as_a_whole(name, tmp_path):
    packed = tar_of(tmp_path / "a.tar.gz", *HOSTILE_TARS[name])
    with pytest.raises(DataError, match="is not unpacked: it holds"):
        unpack(packed, tmp_path / "in" / "folder")
    assert files(tmp_path) == ["a.tar.gz"]
    assert list((tmp_path / "in").iterdir()) == []


def test_a_hostile_zip_is_refused_as_a_whole(tmp_path):
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    for members in (
        [("good", b""), ("../evil", b"")],
        [(link, b"/etc/passwd")],
        [("zeros", bytes(80 << 20))],
    ):
        packed = zip_of(tmp_path / "a.zip", *members)
        with pytest.raises(DataError, match="is not unpacked: it holds"):
            unpack(packed, tmp_path / "in" / "folder")
        assert files(tmp_path) == ["a.zip"]


@pytest.mark.parametrize("cut", [0, 10, 100, -20])
@pytest.mark.parametrize("pack", [tar_of, zip_of])
def test_a_truncated_archive_is_refused_and_the_old_folder_stays(pack, cut, tmp_path):
    packed = pack(tmp_path / "a.bin", ("x", os.urandom(5000)), ("y", os.urandom(5000)))
    packed.write_bytes(packed.read_bytes()[:cut])
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").write_text("old")
    with pytest.raises(DataError, match=r"a\.bin"):
        unpack(packed, tmp_path / "folder")
    assert files(tmp_path / "folder") == ["old"]


def test_a_damaged_zip_member_is_refused(tmp_path):
    packed = zip_of(tmp_path / "a.zip", ("x", os.urandom(5000)))
    data = bytearray(packed.read_bytes())
    data[2000] ^= 255
    packed.write_bytes(data)
    with pytest.raises(DataError, match="Could not unpack"):
        unpack(packed, tmp_path / "folder")


@pytest.mark.parametrize("is_cache", [True, False])
def test_a_folder_that_cannot_be_created_is_named_and_no_other_is_used(
    tmp_path, monkeypatch, is_cache
):
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "source").write_bytes(b"x")
    blocked = tmp_path / "file" / "home"
    monkeypatch.setenv("GAZELLE_HOME", str(blocked if is_cache else tmp_path / "home"))
    with pytest.raises(ArgumentError, match="cannot be created") as error:
        get_file(
            "x",
            (tmp_path / "source").as_uri(),
            cache_dir=None if is_cache else blocked,
        )
    assert ("GAZELLE_HOME" in str(error.value)) == is_cache
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "source"]
