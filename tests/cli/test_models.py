import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from fiqa_cli.cli.models import app
from fiqa_cli.errors import FiqaError
from fiqa_cli.zoo import registry
from fiqa_cli.zoo.model import Artifact, Model
from zoo.server import Site, running
from zoo.toys import thin_state


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def refused(*arguments: str) -> str:
    """The one line with which the command ends; the program prints it and exits with 2."""
    result = run(*arguments)
    assert isinstance(result.exception, FiqaError), result.output
    assert result.stdout == ""
    assert "\n" not in str(result.exception)
    return str(result.exception)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A server that holds the ONNX export of `toy`, a model the registry knows meanwhile."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running() as made:
        made.files["/toy.onnx"] = b"\x08\x08\x12\x07pytorch" + bytes(1000)
        artifact = Artifact("toy.onnx", "onnx", made.url + "/toy.onnx")
        toy = Model("toy", "quality", "a toy", "free", artifacts=(artifact,))
        known = {**registry.models(), "toy": toy}
        monkeypatch.setattr(registry, "models", lambda: known)
        yield made


def test_list_in_a_pipe_is_one_tab_separated_line_per_model() -> None:
    result = run("list")
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["name", "kind", "state", "size", "licence", "paper"]
    assert {len(line) for line in lines} == {6}
    rows = {line[0]: line for line in lines[1:]}
    assert list(rows) == list(registry.models())
    assert rows["ediffiqa-n"][4] == "non-commercial research only"
    assert rows["ediffiqa-m"][2] == "to pull"
    assert rows["diffiqa-r"][2] == "to import"
    assert rows["faceqan"][2] == "needs cosface-r100"
    assert rows["buffalo_l"][3] == "288.6 MB"
    assert result.stderr == ""


def test_list_as_json() -> None:
    told = {each["name"]: each for each in json.loads(run("list", "--json").stdout)}
    assert told["ediffiqa-t"]["artifacts"][1]["sha256"].startswith("7a83be63")
    assert told["ediffiqa-t"]["path"] is None
    assert told["diffiqa-r"]["source"] == "import"


def test_show_says_how_to_get_it_on_the_standard_error() -> None:
    result = run("show", "ediffiqa-m")
    assert "b02ea2dcc0536d6b" in result.stdout
    assert "not published" in result.stdout
    assert "10468647" in result.stdout
    assert "fiqa models pull ediffiqa-m" in result.stderr
    assert json.loads(run("show", "buffalo_l", "--json").stdout)["members"]["det_10g.onnx"]


def test_pull_prints_the_path_and_only_that(site: Site, tmp_path: Path) -> None:
    result = run("pull", "toy")
    path = Path(result.stdout.removesuffix("\n"))
    assert path.read_bytes() == site.files["/toy.onnx"]
    assert "no sha256 is published" in result.stderr
    assert "licence: free" in result.stderr
    assert run("where", "toy").stdout == result.stdout
    assert "\tpulled\t" in next(x for x in run("list").stdout.splitlines() if x.startswith("toy"))


def test_pull_through_a_mirror_given_by_the_environment(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.files["/mirror/toy.onnx"] = site.files.pop("/toy.onnx")
    monkeypatch.setenv("FIQA_MIRROR", site.url + "/mirror")
    assert run("pull", "toy").exit_code == 0


def test_verify_exits_with_1_on_damage(site: Site) -> None:
    path = Path(run("pull", "toy").stdout.strip())
    good = run("verify", "toy")
    assert good.exit_code == 0
    assert good.stdout.split("\t")[:2] == ["toy", "ok"]
    path.write_bytes(b"damaged")
    bad = run("verify", "toy")
    assert bad.exit_code == 1
    assert bad.stdout.split("\t")[1] == "damaged"
    assert json.loads(run("verify", "toy", "--json").stdout)[0]["result"] == "damaged"
    assert "--force" in refused("where", "toy")


def test_what_cannot_be_done_is_one_line(tmp_path: Path) -> None:
    assert refused("where", "ediffiqa-m").endswith("run: fiqa models pull ediffiqa-m")
    assert "fiqa models import FILE --as diffiqa-r" in refused("pull", "diffiqa-r")
    assert "did you mean ediffiqa-m" in refused("pull", "ediffiqa_m")
    assert "offline" in refused("pull", "--offline", "ediffiqa-m")
    assert "not on this machine" in refused("verify", "ediffiqa-m")
    assert "there is no file" in refused("import", str(tmp_path / "x"), "--as", "ediffiqa-t")
    assert run("pull").exit_code == 2
    assert run("import", "x").exit_code == 2


def test_import_then_list(tmp_path: Path) -> None:
    torch.save(thin_state("ediffiqa-t"), tmp_path / "ediffiqaT.pth")
    result = run("import", str(tmp_path / "ediffiqaT.pth"), "--as", "ediffiqa-t")
    assert result.exit_code == 0
    assert Path(result.stdout.strip()).is_file()
    assert "recorded" in result.stderr
    states = {each["name"]: each["state"] for each in json.loads(run("list", "--json").stdout)}
    assert states["ediffiqa-t"] == "imported"


def test_where_prints_the_cache_folder_byte_for_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "caché\udcff")
    monkeypatch.setenv("FIQA_CACHE", folder)
    result = CliRunner().invoke(app, ["where"])
    assert result.stdout_bytes.rstrip(b"\n") == str(tmp_path / "caché").encode() + b"\xff"


def test_listing_models_loads_no_heavy_library() -> None:
    program = (
        "import sys; from fiqa_cli.cli.models import app; app(['list'], standalone_mode=False);"
        "heavy = {'torch', 'numpy', 'requests', 'onnxruntime', 'insightface', 'cv2'};"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_model_without_weights_of_its_own_sends_to_its_recogniser() -> None:
    assert "fiqa models import FILE --as cosface-r100" in refused("pull", "faceqan")
    assert "fiqa models import FILE --as cosface-r100" in refused("where", "faceqan")
    assert "import those of cosface-r100" in refused("import", "any.pth", "--as", "faceqan")


def test_a_model_without_any_weights_is_ready_as_it_is() -> None:
    rows = {line.split("\t")[0]: line.split("\t") for line in run("list").stdout.splitlines()}
    assert rows["sharpness"][2:4] == ["no weights", ""]
    assert rows["embedding-norm"][2] == "built-in"
    assert "here:          no weights" in run("show", "sharpness").stdout
    assert json.loads(run("show", "sharpness", "--json").stdout)["source"] == "none"
    for arguments in (
        ("pull", "sharpness"),
        ("where", "sharpness"),
        ("verify", "sharpness"),
        ("import", "any.pth", "--as", "sharpness"),
    ):
        assert refused(*arguments) == "sharpness has no weights: it is ready as it is"
    assert run("verify").exit_code == 0


def test_show_tells_the_config_of_a_network() -> None:
    assert "config:        features = 128" in run("show", "fr-n").stdout
    assert "config" not in run("show", "ediffiqa-m").stdout
