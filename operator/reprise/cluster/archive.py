"""Writes an image archive around static programs, in the form that containerd and Podman read."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def _layer(files: Mapping[str, Path], out: Path) -> str:
    """Write the one layer; returns its sha256. Times and owners are fixed: same programs, same digest."""
    with tarfile.open(out, "w") as layer:
        temporary = tarfile.TarInfo("tmp")
        temporary.type, temporary.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(temporary)
        folders: set[PurePosixPath] = set()
        for target, source in sorted(files.items()):
            path = PurePosixPath(target.lstrip("/"))
            for folder in reversed(path.parents[:-1]):
                if folder not in folders:
                    folders.add(folder)
                    entry = tarfile.TarInfo(str(folder))
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    layer.addfile(entry)
            entry = tarfile.TarInfo(str(path))
            entry.size, entry.mode = source.stat().st_size, 0o755
            with source.open("rb") as data:
                layer.addfile(entry, data)
    with out.open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def write(out: Path, tags: Sequence[str], entrypoint: Sequence[str], files: Mapping[str, Path]) -> None:
    """Write `out`: an image with `files` (path in the image → program) that carries `tags`."""
    layer_path = out.with_suffix(".layer")
    try:
        layer = _layer(files, layer_path)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {
                    "Entrypoint": list(entrypoint),
                    "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"],
                    "WorkingDir": "/",
                },
                "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
                "history": [{"created_by": "static programs"}],
            }
        ).encode()
        config_name = f"{hashlib.sha256(config).hexdigest()}.json"
        manifest = [{"Config": config_name, "RepoTags": list(tags), "Layers": [f"{layer}/layer.tar"]}]
        with tarfile.open(out, "w") as archive:
            archive.add(layer_path, f"{layer}/layer.tar", filter=_plain)
            _add(archive, config_name, config)
            _add(archive, "manifest.json", json.dumps(manifest).encode())
    finally:
        layer_path.unlink(missing_ok=True)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = 0
    return entry
