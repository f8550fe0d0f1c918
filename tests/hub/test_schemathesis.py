"""The OpenAPI page against the hub: whatever schemathesis thinks of, no answer is a 5xx and none is undocumented."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.hub.stack import Stack

_CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.mark.parametrize("who", ["tenant", "operator"])
def test_no_answer_is_a_server_error(stack: Stack, admin: httpx.Client, who: str, tmp_path: Path) -> None:
    # Keys of their own: schemathesis finds out how to revoke them.
    key = stack.new_tenant(admin, f"fuzz-{who}") if who == "tenant" else stack.admin_key
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert program is not None
    what = ["--phases", "examples,coverage,fuzzing", "--max-examples", "25", "--checks", _CHECKS]
    how = ["--seed", "7", "--no-color", "--suppress-health-check", "all", "--request-timeout", "30"]
    finished = subprocess.run(
        [program, "run", f"{stack.url}/openapi.json", "-H", f"Authorization: Bearer {key}", *what, *how],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout[-12000:]
