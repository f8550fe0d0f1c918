"""A connection to a hub with one key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from hub.client.errors import ApiError
from hub.client.watching import JobEnd, JobProgress, watch


class Conch:
    """Calls a hub at `url` with `api_key`. Every method raises `ApiError` where the hub refuses.

    Usable as a context manager, which closes the connections at the end.
    """

    def __init__(self, url: str, api_key: str, timeout: float = 120.0) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {api_key}"}, timeout=timeout, trust_env=False
        )

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def create_tenant(self, name: str) -> dict[str, Any]:
        """A new tenant; needs a platform key."""
        return self._post("/v1/tenants", {"name": name})

    def create_key(self, name: str, scopes: Sequence[str], tenant: str | None = None) -> str:
        """The secret of a new key; a platform key must name the tenant."""
        created = self._post("/v1/keys", {"name": name, "scopes": list(scopes), "tenant": tenant})
        secret: str = created["secret"]
        return secret

    def own_key(self) -> dict[str, Any]:
        """The key this client calls with."""
        return self._get("/v1/key")

    def models(self) -> list[dict[str, Any]]:
        """The models this key may call."""
        data: list[dict[str, Any]] = self._get("/v1/models")["data"]
        return data

    def register_model(
        self, name: str, task: str, prices: Mapping[str, int], visibility: str = "private", description: str = ""
    ) -> dict[str, Any]:
        """A new model with a price in nano-dollars for each unit it bills."""
        body = {
            "name": name,
            "task": task,
            "prices": dict(prices),
            "visibility": visibility,
            "description": description,
        }
        return self._post("/v1/models", body)

    def upload(self, path: Path) -> str:
        """Upload a file; its SHA-256, under which a version refers to it."""
        with path.open("rb") as file:
            answer = self._http.post("/v1/artefacts", content=file, timeout=None)
        sha256: str = _checked(answer)["sha256"]
        return sha256

    def upload_directory(self, directory: Path) -> dict[str, str]:
        """Upload the files of a model's directory; relative paths to SHA-256, as `create_version` takes them.

        Hidden files, and files that no model consists of, stay at home.
        """
        return {
            path.relative_to(directory).as_posix(): self.upload(path)
            for path in sorted(directory.rglob("*"))
            if path.is_file() and path.suffix in _MODEL_SUFFIXES and not path.name.startswith(".")
        }

    def create_version(self, model: str, files: Mapping[str, str], precision: str = "int8") -> dict[str, Any]:
        """A new version of a model; its conversion is queued under `job_id`."""
        return self._post(f"/v1/models/{model}/versions", {"files": dict(files), "precision": precision})

    def download(self, sha256: str, target: Path) -> None:
        """Write a file of a version, or one that was uploaded, to `target`."""
        with self._http.stream("GET", f"/v1/artefacts/{sha256}", timeout=None) as answer:
            if answer.is_error:
                answer.read()
                raise ApiError.from_response(answer)
            with target.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)

    def versions(self, model: str) -> list[dict[str, Any]]:
        """The newest versions of a model."""
        data: list[dict[str, Any]] = self._get(f"/v1/models/{model}/versions")["data"]
        return data

    def version(self, model: str, number: int) -> dict[str, Any]:
        """A version with its certificate."""
        return self._get(f"/v1/models/{model}/versions/{number}")

    def jobs(self) -> list[dict[str, Any]]:
        """The newest jobs."""
        data: list[dict[str, Any]] = self._get("/v1/jobs")["data"]
        return data

    def watch_job(self, job_id: str) -> Iterator[JobProgress | JobEnd]:
        """Follow a job: every step once, and then its end."""
        return watch(self._http, job_id)

    def infer(self, model: str, parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Call any model with parts, e.g. `{"type": "text", "text": "…"}`."""
        return self._post("/v1/infer", {"model": model, "input": [dict(part) for part in parts]})

    def _get(self, path: str) -> dict[str, Any]:
        return _checked(self._http.get(path))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return _checked(self._http.post(path, json=body))


_MODEL_SUFFIXES = frozenset({".safetensors", ".json", ".onnx", ".txt", ".model", ".data"})


def _checked(response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise ApiError.from_response(response)
    body: dict[str, Any] = response.json()
    return body
