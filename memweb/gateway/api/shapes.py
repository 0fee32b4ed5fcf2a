"""The shapes of the API's answers, for its OpenAPI document and for its endpoints to keep to."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from ninja import Field, Path, Schema
from pydantic import ConfigDict

Data = TypeVar("Data")
AssetId = Annotated[str, Field(min_length=1, max_length=64, examples=["re_660727003963174912"])]
AssetPath = Annotated[str, Path(description="Which file: its asset_id.")]


class Shape(Schema):
    """A body or an answer: what stands below a field describes it in the document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


# No Shape: docstrings of each of its kinds, which stand nowhere, would be looked for; a quarter of a server's start.
class Answer(Schema, Generic[Data]):
    """What upload, assets and transcriptions answer."""

    code: Literal[200] = 200
    msg: str = "success"
    data: Data
    success: Literal[True] = True
    failed: Literal[False] = False


class Failure(Schema):
    """Their refusal; `code` is the HTTP status."""

    code: int
    msg: str
    data: None
    success: Literal[False]
    failed: Literal[True]


FAILURES: dict[Any, Any] = {frozenset({400, 401, 402, 403, 413, 415, 429}): Failure}
FAULTS: dict[Any, Any] = {frozenset({500, 502, 503, 504}): Failure}
"""Where something reads the file before the answer: the engine broke, or there is none; a provider did not answer."""
