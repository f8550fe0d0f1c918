"""From running servers to a first call: administrator, demo tenant, sample model, and the file that tells of them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.embedded.directory import DataDirectory
from hub.embedded.progress import Progress
from hub.embedded.threads import in_thread


@dataclass(frozen=True)
class Keys:
    """The keys that were made so far; they are shown once, so losing them means making new ones."""

    admin_key: str | None = None
    demo_key: str | None = None

    @classmethod
    def load(cls, path: Path) -> Keys:
        """Those of earlier runs; none where the file is missing or not whole."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return cls()


async def bootstrap(data: DataDirectory, url: str, database_url: str, *, sample: bool, progress: Progress) -> Keys:
    """Make what is missing through the hub at `url`, and write `data`/bootstrap.json once all of it is there."""
    from hub.bootstrap import ensure_admin, new_admin_key
    from hub.samples import ensure_demo, ensure_sample

    keys = Keys.load(data.keys)
    with progress.step("administrator and demo tenant"):
        created = await in_thread(ensure_admin, database_url)
        admin = created or keys.admin_key or await in_thread(new_admin_key, database_url)
        keys = Keys(admin, keys.demo_key)
        write_private(data.keys, asdict(keys))
        demo = await in_thread(ensure_demo, url, admin, keys.demo_key)
        keys = Keys(admin, demo)
        write_private(data.keys, asdict(keys))
    if sample:
        with progress.step("sample model minilm") as step:
            await in_thread(ensure_sample, url, demo, step.update)
    write_private(data.bootstrap, {"url": url, "admin_key": admin, "demo_key": demo})
    return keys


def write_private(path: Path, content: dict[str, str | None]) -> None:
    """Write JSON that only its owner reads: at once, or not at all."""
    temporary = path.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
