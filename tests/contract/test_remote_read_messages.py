"""The messages of remote read that are checked in are those that protoc makes of the .proto beside them."""

import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "operator"
WIRE = "reprise/adapters/wire"


def test_generated_messages_are_those_of_the_proto_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{SOURCE}", f"--python_out={tmp_path}"]
    command += [f"--pyi_out={tmp_path}", f"{WIRE}/remote_read.proto"]
    subprocess.run(command, check=True, cwd=SOURCE)
    for name in ("remote_read_pb2.py", "remote_read_pb2.pyi"):
        assert (tmp_path / WIRE / name).read_text() == (SOURCE / WIRE / name).read_text(), name
