"""The settings of the key for Tencent Cloud, by their official names, and of its sites."""

from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from bot.cli.setting_values import parse_sites
from bot.model.actions import Site


class CloudSettings(BaseSettings):
    """How Tencent Cloud is reached; a part of Settings."""

    secret_id: str = Field(
        "",
        alias="TENCENTCLOUD_SECRET_ID",
        repr=False,
        description="The key's id. Without id and key: the credentials file, then the role of the "
        "pod (TKE), then that of the CVM.",
    )
    secret_key: SecretStr | None = Field(
        None, alias="TENCENTCLOUD_SECRET_KEY", description="The key itself."
    )
    token: SecretStr | None = Field(
        None, alias="TENCENTCLOUD_TOKEN", description="The token of a temporary key."
    )
    credentials_file: str = Field(
        "",
        alias="TENCENTCLOUD_CREDENTIALS_FILE",
        description="File with the key, read again when it changes; by default "
        "`~/.tencentcloud/credentials`, then `/etc/tencentcloud/credentials`.",
    )
    role_arn: str = Field(
        "",
        alias="TENCENTCLOUD_ROLE_ARN",
        pattern=r"^(qcs::cam::uin/[0-9]+:role(Name)?/[!-~]+)?$",
        description="A role that the key is to assume, `qcs::cam::uin/…:roleName/…`; its temporary "
        "keys are used instead, and renewed.",
    )
    role_session: str = Field(
        "",
        alias="TENCENTCLOUD_ROLE_SESSION_NAME",
        pattern=r"^([A-Za-z0-9_+=,.@-]{2,128})?$",
        description="Name that Tencent Cloud's own audit shows for a role; by default "
        "`stopstream`.",
    )
    tke_region: str = Field(
        "",
        alias="TKE_REGION",
        pattern=r"^([a-z]{2}-[a-z]+(-\d+)?)?$",
        description="Set by TKE with the next three, in a pod that has a role of its own.",
    )
    tke_provider: str = Field(
        "", alias="TKE_PROVIDER_ID", description="The cluster's identity provider."
    )
    tke_token_file: str = Field(
        "",
        alias="TKE_WEB_IDENTITY_TOKEN_FILE",
        description="The pod's token; read for each temporary key.",
    )
    tke_role_arn: str = Field("", alias="TKE_ROLE_ARN", description="The pod's role.")
    region: str = Field(
        "",
        alias="TENCENTCLOUD_REGION",
        pattern=r"^([a-z]{2}-[a-z]+(-\d+)?)?$",
        description="The region where neither the command nor the policy names one.",
    )
    sites: Annotated[dict[str, Site], NoDecode] = Field(
        default_factory=dict,
        alias="STOPSTREAM_TENCENT_SITE",
        description="`mainland` or `intl`, for all or per service: `intl` · `mainland,trtc=intl`.",
    )

    @field_validator("sites", mode="before")
    @classmethod
    def _sites(cls, value: Any) -> Any:
        return parse_sites(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if bool(self.secret_id) != bool(self.secret_key):
            absent = "SECRET_KEY" if self.secret_id else "SECRET_ID"
            raise ValueError(f"TENCENTCLOUD_{absent}: is missing; id and key go together")
        return self

    def site(self, product: str, default: Site) -> Site:
        """Return the site of a product: its own setting, that of all products, or its default."""
        return self.sites.get(product) or self.sites.get("") or default
