"""What a reason of the policy says for a statement of reasons under the Digital Services Act.

Keys and values are those of the Commission's transparency database.

Source: https://transparency.dsa.ec.europa.eu/page/api-documentation
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Ground = Literal["DECISION_GROUND_ILLEGAL_CONTENT", "DECISION_GROUND_INCOMPATIBLE_CONTENT"]
SourceType = Literal[
    "SOURCE_ARTICLE_16",
    "SOURCE_TRUSTED_FLAGGER",
    "SOURCE_TYPE_OTHER_NOTIFICATION",
    "SOURCE_VOLUNTARY",
]
ContentType = Literal[
    "CONTENT_TYPE_APP",
    "CONTENT_TYPE_AUDIO",
    "CONTENT_TYPE_IMAGE",
    "CONTENT_TYPE_PRODUCT",
    "CONTENT_TYPE_SYNTHETIC_MEDIA",
    "CONTENT_TYPE_TEXT",
    "CONTENT_TYPE_VIDEO",
]
Category = Annotated[str, Field(pattern=r"^STATEMENT_CATEGORY_[A-Z]+(_[A-Z]+)*$", max_length=100)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
_Ground500 = Annotated[str, Field(min_length=1, max_length=500)]
_Explanation = Annotated[str, Field(min_length=1, max_length=2000)]


class DsaSettings(BaseModel):
    """What the trail cannot know of a statement of reasons; what is left out is missing in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    decision_ground: Ground | None = None
    illegal_content_legal_ground: _Ground500 | None = Field(
        None, description="The law, where the content is illegal."
    )
    illegal_content_explanation: _Explanation | None = None
    incompatible_content_ground: _Ground500 | None = Field(
        None, description="The clause of the terms, where it is incompatible with them."
    )
    incompatible_content_explanation: _Explanation | None = None
    category: Category | None = None
    content_type: tuple[ContentType, ...] | None = Field(None, min_length=1)
    source_type: SourceType | None = Field(None, description="Who had pointed it out.")
    automated_detection: Literal["Yes", "No"] | None = Field(
        None, description="Whether software had found it; what an alert had named is a yes."
    )
    territorial_scope: tuple[Country, ...] | None = Field(
        None, min_length=1, max_length=30, description="Country codes."
    )
