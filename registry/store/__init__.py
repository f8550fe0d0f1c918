"""The artefact store: files by the SHA-256 of their content."""

from registry.store.local import LocalStore
from registry.store.port import ArtefactMissing, ArtefactStore, NotAFile, StoredArtefact

__all__ = ["ArtefactMissing", "ArtefactStore", "LocalStore", "NotAFile", "StoredArtefact"]
