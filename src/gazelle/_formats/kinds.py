"""What a file seems to be, by its first bytes."""

from __future__ import annotations

HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = b"PK\x03\x04"
_KINDS = {
    HDF5: "an HDF5 file: weights, or an old .h5 model?",
    ZIP: "a zip archive: a .keras file?",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "a .npy file",
}


def file_kind(head: bytes, size: int) -> str:
    """A description of a file that is not what its name promises.

    Args:
        head: Its first bytes.
        size: Its size in bytes.
    """
    if not head:
        return f"an empty file: {size} bytes"
    if len(head) < 8 and HDF5.startswith(head):
        return f"a truncated file: {size} bytes"
    if head.lstrip()[:1] == b"<":
        return "a web page: the download failed?"
    for start, kind in _KINDS.items():
        if head.startswith(start):
            return kind
    return f"bytes {head[:8]!r}"
