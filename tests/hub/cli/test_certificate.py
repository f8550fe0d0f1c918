from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from registry.certificates.keys import load_or_create, public_pem
from registry.certificates.signing import sign
from tests.hub.cli.test_app import BARE
from tests.registry.certificates.given import CERTIFICATE


def _bare(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """`conch certificate` where nothing is installed but what the bare install brings."""
    command = [sys.executable, "-c", BARE, "certificate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, input=given, check=False)


@pytest.fixture
def key(tmp_path: Path) -> Ed25519PrivateKey:
    return load_or_create(tmp_path / "signing-key.pem")


@pytest.fixture
def signed(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    path = tmp_path / "certificate.json"
    path.write_text(sign(CERTIFICATE, key).json())
    return path


@pytest.fixture
def public(tmp_path: Path, key: Ed25519PrivateKey) -> Path:
    path = tmp_path / "public.pem"
    path.write_text(public_pem(key))
    return path


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    path = tmp_path / "stranger.pem"
    path.write_text(public_pem(Ed25519PrivateKey.generate()))
    return path


def test_a_certificate_is_verified_with_the_key_that_key_prints(tmp_path: Path, signed: Path) -> None:
    printed = _bare("key", "--key", tmp_path / "signing-key.pem")
    assert printed.returncode == 0, printed.stderr
    assert "PRIVATE" not in printed.stdout
    (tmp_path / "printed.pem").write_text(printed.stdout)
    verified = _bare("verify", signed, "--key", tmp_path / "printed.pem")
    assert verified.returncode == 0, verified.stderr
    assert verified.stdout.startswith("verified: signed with the trusted key ")
    assert verified.stdout.endswith("(certified, embedding)\n")
    assert verified.stderr == ""


def test_one_key_of_several_is_enough(signed: Path, public: Path, stranger: Path) -> None:
    assert _bare("verify", signed, "--key", stranger, "--key", public).returncode == 0


def test_without_a_key_it_says_that_the_signer_is_not_verified(signed: Path) -> None:
    shown = _bare("verify", signed)
    assert shown.returncode == 0
    assert shown.stdout.startswith("intact, signer not verified: ")
    assert "anybody may have signed it" in shown.stderr


def test_a_stranger_s_key_does_not_verify(signed: Path, stranger: Path) -> None:
    refused = _bare("verify", signed, "--key", stranger)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "not among the trusted ones" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_what_was_changed_is_neither_verified_nor_shown_in_silence(signed: Path, public: Path, tmp_path: Path) -> None:
    signed.write_text(signed.read_text().replace("0.99688", "0.99988"))
    for keys in ((), ("--key", public)):
        refused = _bare("verify", signed, *keys)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "changed after it was signed" in refused.stderr
    for options in ((), ("--json",), ("--html", tmp_path / "page.html")):
        shown = _bare("show", signed, *options)
        assert shown.returncode == 1
        assert "Do not rely on this" in shown.stderr


def test_a_bare_certificate_is_shown_as_unsigned_and_not_verified(tmp_path: Path) -> None:
    path = tmp_path / "bare.json"
    path.write_text(CERTIFICATE.model_dump_json())
    shown = _bare("show", path)
    assert shown.returncode == 0, shown.stderr
    assert "Not signed" in shown.stdout
    refused = _bare("verify", path)
    assert refused.returncode == 1
    assert "The certificate is not signed" in refused.stderr


def test_a_certificate_is_shown_to_people_and_to_programs(signed: Path, tmp_path: Path) -> None:
    people = _bare("show", signed)
    assert people.returncode == 0, people.stderr
    assert "CERTIFIED" in people.stdout
    assert CERTIFICATE.lineage.served[:16] in people.stdout
    programs = _bare("show", signed, "--json")
    assert json.loads(programs.stdout) == json.loads(signed.read_text())
    page = _bare("show", signed, "--html", tmp_path / "page.html")
    assert page.returncode == 0, page.stderr
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert _bare("show", signed, "--json", "--html", tmp_path / "page.html").returncode == 2


def test_standard_input_is_read(signed: Path, public: Path) -> None:
    assert _bare("verify", "-", "--key", public, given=signed.read_text()).returncode == 0


def test_what_cannot_be_used_is_told_in_one_line(signed: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"verdict": "certified", "\\u001b[31m": 1}')
    private = tmp_path / "signing-key.pem"
    for options in (
        ("show", other),
        ("verify", tmp_path / "missing.json"),
        ("verify", signed, "--key", private),
        ("verify", signed, "--key", tmp_path / "missing.pem"),
        ("key", "--key", tmp_path / "missing.pem"),
        ("show", signed, "--html", tmp_path / "missing" / "page.html"),
    ):
        refused = _bare(*options)
        assert refused.returncode == 1
        assert refused.stderr.startswith("conch: ")
        assert refused.stderr.count("\n") == 1
        assert "\x1b" not in refused.stderr


def test_printing_a_key_makes_none(tmp_path: Path) -> None:
    _bare("key", "--key", tmp_path / "missing.pem")
    assert list(tmp_path.iterdir()) == []


def test_help_knows_the_commands_and_loads_nothing_for_it() -> None:
    code = (
        "import sys\nfrom hub.cli import main\nsys.argv = ['conch', 'certificate', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({'cryptography', 'registry', 'rfc8785'} & set(sys.modules)))"
    )
    started = time.perf_counter()
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.perf_counter() - started < 5  # 0.3 s on a machine that does nothing else
    assert shown.stdout.endswith("[]\n")
    for command in ("show", "verify", "key"):
        assert f" {command} " in shown.stdout
