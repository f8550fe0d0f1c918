import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.triton_repo.published import AFFINE, CONFIG
from triton_repo import config as model_config
from triton_repo.bundle import bundle
from triton_repo.config import ModelConfig
from triton_repo.errors import AlreadyPublished, Unpublishable
from triton_repo.publish import clean_staging, publish, runtime_hash, withdraw

ROOT = Path(__file__).parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "models"


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_a_model_is_its_files_its_configuration_and_its_code(repository: Path, affine_model: Path) -> None:
    publish(repository, affine_model, CONFIG)
    published = files(repository / "affine")
    assert model_config.parse(published.pop("config.pbtxt").decode()) == CONFIG
    expected = {
        f"1/{name}": content for name, content in [*files(affine_model).items(), *bundle(), ("__pycache__", b"")]
    }
    assert published == expected


def test_the_published_code_needs_no_installation_of_ours(repository: Path, affine_model: Path) -> None:
    publish(repository, affine_model, CONFIG)
    version = repository / "affine" / "1"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import registry.spec.embedder, registry.spec.runtime, registry.spec.task, triton_repo.runtime.adapter\n"
        "import triton_repo.runtime.embedding_stages, triton_repo.runtime.tensor, triton_repo.runtime.shared_memory\n"
        "ours = [m for n, m in sys.modules.items() if n.partition('.')[0] in ('registry', 'triton_repo')]\n"
        "assert all(m.__file__.startswith(sys.argv[1]) for m in ours), ours\n"
        "heavy = {'onnxruntime', 'tokenizers', 'pydantic', 'tritonclient'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-IB", "-c", script, str(version)], check=True)


def test_the_runtime_hash_names_the_published_code(repository: Path, affine_model: Path) -> None:
    assert len(runtime_hash()) == 64
    assert not [path for path, _ in bundle() if "__pycache__" in path or path.endswith("certificate.py")]
    publish(repository, affine_model, CONFIG)
    script = "import sys; sys.path.insert(0, sys.argv[1]); from triton_repo.publish import *; print(runtime_hash())"
    again = subprocess.run([sys.executable, "-c", script, str(ROOT)], check=True, capture_output=True, text=True)
    assert again.stdout.strip() == runtime_hash()


def test_a_published_model_is_never_overwritten(repository: Path, affine_model: Path) -> None:
    publish(repository, affine_model, CONFIG)
    before = files(repository)
    (affine_model / "model.onnx").write_bytes(b"another")
    with pytest.raises(AlreadyPublished):
        publish(repository, affine_model, CONFIG)
    assert files(repository) == before


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".", "..", "A", "a b", "ä", "x" * 129, "a\n"])
def test_a_name_that_is_not_opaque_is_refused(repository: Path, affine_model: Path, name: str) -> None:
    with pytest.raises(Unpublishable):
        publish(repository, affine_model, ModelConfig(name, AFFINE, 8))
    with pytest.raises(Unpublishable):
        withdraw(repository, name)
    assert not repository.exists()


@pytest.mark.parametrize("name", ["model.py", "numpy.py", "x.so", "registry", "x.pkl", "noextension"])
def test_a_file_that_python_could_import_is_refused(repository: Path, affine_model: Path, name: str) -> None:
    (affine_model / name).write_bytes(b"")
    with pytest.raises(Unpublishable, match=name):
        publish(repository, affine_model, CONFIG)
    assert not repository.exists()


def test_a_link_out_of_the_model_directory_is_refused(repository: Path, affine_model: Path) -> None:
    (affine_model / "weights.data").symlink_to("/etc/hostname")
    with pytest.raises(Unpublishable, match=r"weights\.data"):
        publish(repository, affine_model, CONFIG)


def test_a_withdrawn_model_is_gone_and_may_be_withdrawn_twice(repository: Path, affine_model: Path) -> None:
    publish(repository, affine_model, CONFIG)
    withdraw(repository, "affine")
    withdraw(repository, "affine")
    assert files(repository) == {}
    assert staging(repository) == []


def test_cleaning_leaves_a_running_publish_alone(repository: Path, affine_model: Path, monkeypatch) -> None:
    render = model_config.render

    def clean_meanwhile(config: ModelConfig) -> str:
        clean_staging(repository)
        return render(config)

    monkeypatch.setattr(model_config, "render", clean_meanwhile)
    publish(repository, affine_model, CONFIG)
    assert "affine/config.pbtxt" in files(repository)


def test_a_kill_at_any_step_leaves_all_or_nothing(repository: Path, affine_model: Path) -> None:
    reference = repository.parent / "reference"
    publish(reference, affine_model, CONFIG)
    whole, step, exit_code = files(reference), 0, -signal.SIGKILL
    command = [sys.executable, "-m", "tests.triton_repo.killed", str(repository), str(affine_model)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as publisher:
        while exit_code == -signal.SIGKILL:
            step += 1
            publisher.stdin.write(f"{step}\n")
            publisher.stdin.flush()
            exit_code = int(publisher.stdout.readline())
            found = files(repository) if repository.exists() else {}
            assert found in ({}, whole), f"killed at step {step}"
            clean_staging(repository)
            assert staging(repository) == []
            withdraw(repository, "affine")
        publisher.stdin.close()
    assert exit_code == 0
    assert step > 100, "the kills did not cover the publish"


def staging(repository: Path) -> list[Path]:
    return list((repository.parent / f".{repository.name}-staging").glob("*"))
