"""A build of the browser app, read into memory: what is sent for each path of a URL.

A worker's pages and assets so belong together, a request opens no file, and there is no path to
traverse. The variants in `.br` and `.gz` were made when the app was built.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from app.api.answer_headers import Headers, page_policy

HTML = b"text/html; charset=utf-8"

_BEST_FIRST = ((b"br", ".br"), (b"gzip", ".gz"))
_TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": HTML,
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
    ".png": b"image/png",
    ".svg": b"image/svg+xml",
    ".txt": b"text/plain; charset=utf-8",
    ".webmanifest": b"application/manifest+json",
    ".woff2": b"font/woff2",
}


@dataclass(frozen=True, slots=True)
class Variant:
    """A file in one encoding; `encoding` is empty for the file as it is."""

    encoding: bytes
    etag: bytes
    headers: Headers
    body: bytes


File = tuple[Variant, ...]
"""The variants of a file, best first, the plain one last."""


def read_build(folder: Path) -> dict[str, File]:
    """Files by the path of their URL. None if this is no build but a folder named by mistake."""
    if not (folder / ".vite" / "manifest.json").is_file():
        return {}
    variants = tuple(suffix for _, suffix in _BEST_FIRST)
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if path.is_file() and not hidden and not name.endswith(variants):
            files[f"/{name}"] = _read(path, hashed=name.startswith("assets/"))
    return files


def _read(path: Path, *, hashed: bool) -> File:
    """`hashed`: the name changes with the content, so that a browser may keep it for good."""
    encoded = [(encoding, path.with_name(path.name + suffix)) for encoding, suffix in _BEST_FIRST]
    found = [each for each in encoded if each[1].is_file()]
    common = [
        (b"content-type", _TYPES.get(path.suffix, b"application/octet-stream")),
        (b"cache-control", _caching(path, hashed=hashed)),
    ]
    if path.suffix == ".html":
        common.append((b"content-security-policy", page_policy(path.read_bytes())))
    if found:
        common.append((b"vary", b"accept-encoding"))
    return tuple(_variant(encoding, at, common) for encoding, at in [*found, (b"", path)])


def _caching(path: Path, *, hashed: bool) -> bytes:
    if hashed:
        return b"public, max-age=31536000, immutable"
    return b"no-cache" if path.suffix == ".html" else b"public, max-age=3600"


def _variant(encoding: bytes, path: Path, common: Headers) -> Variant:
    body = path.read_bytes()
    headers = [*common, (b"content-length", b"%d" % len(body))]
    if encoding:
        headers.append((b"content-encoding", encoding))
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()
    return Variant(encoding, etag, headers, body)
