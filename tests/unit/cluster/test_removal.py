"""Containers that the engine does not remove at the first attempt: an engine that behaves as Podman did."""

from pathlib import Path

import pytest

from reprise.cluster.nodes import Nodes
from reprise.cluster.tools import Tools
from reprise.domain import errors

ENGINE = """#!/bin/sh
cd "$(dirname "$0")"
case $1 in
  ps) ls nodes ;;
  inspect)
    case $2 in
      --format) echo volume-of-it ;;
      *) shift; first=[
         for node; do
           echo "$first"'{"Name": "'$node'", "Config": {"Labels": {}, "Image": "i"}, '
           echo '"State": {"Status": "running"}}'
           first=,
         done; echo ] ;;
    esac ;;
  rm)
    shift 3
    for node; do
      if [ "$(cat "nodes/$node")" -gt 0 ]; then
        echo $(($(cat "nodes/$node") - 1)) >"nodes/$node"; failed=yes
      else
        rm "nodes/$node"
      fi
    done
    [ -z "${failed-}" ] || { echo "cannot remove container: timed out" >&2; exit 125; } ;;
  volume) echo "$3" >removed ;;
esac
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Nodes:
    engine = tmp_path / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    (tmp_path / "nodes").mkdir()
    return Nodes(Tools(tmp_path / "logs"), str(engine), "local")


@pytest.mark.parametrize("failures", [0, 1])
def test_what_is_not_removed_at_once_is_removed_then(cluster: Nodes, tmp_path: Path, failures: int) -> None:
    (tmp_path / "nodes" / "control-plane").write_text("0")
    (tmp_path / "nodes" / "worker").write_text(str(failures))
    cluster.remove_with_volumes()
    assert cluster.all() == []
    assert (tmp_path / "removed").read_text() == "volume-of-it\n"


def test_what_stays_is_said(cluster: Nodes, tmp_path: Path) -> None:
    (tmp_path / "nodes" / "worker").write_text("9")
    with pytest.raises(errors.ToolFailed, match="cannot remove container"):
        cluster.remove_with_volumes()
