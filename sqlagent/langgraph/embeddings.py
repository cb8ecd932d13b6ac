"""The file's own embedding model, as LangChain calls one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.embeddings import Embeddings

from sqlagent.models import model_of


class ModelEmbeddings(Embeddings):
    """The embedding model of a connection's settings, as LangChain calls one."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""
        return model_of(self.settings, needed=True).encode(texts).tolist() if texts else []

    def embed_query(self, text: str) -> list[float]:
        """A vector for a question."""
        return self.embed_documents([text])[0]
